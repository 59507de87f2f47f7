"""Pretend partners: real HTTP servers in their own processes, for the demo, the sandbox and the tests.

`python -m adapters.partners.pretend --partner keis|kead|trn --port N --gateway URL --home DIR --seed N`

They keep to the same wire rules as a real partner (sealed messages, receipts, their own dialect and schema), act out
seeded casework over a business calendar that is moved by `POST /pretend/clock`, and misbehave now and then on purpose.
They are not the real organisations and say so in every answer and every log line. They share with the gateway only the
public rules (`gateway.sealing`, `schemas/partners`); they refuse to look into its database, settings or journey.
"""
