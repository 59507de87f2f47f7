"""Where the gateway remembers: PostgreSQL, and files beside it.

What is SQL stands in `sql/*.sql`; what is Python makes rows and transactions of it. Of cases and messages it decides
nothing. Of its own keeping it does: whom to ask for a cosignature or a stamp and whether to believe it, when a secret
is everywhere, and whether the log adds up.

Units of work:

postgres      the store: it opens units of work, and transactions that are none
units         a unit of work: one transaction, its parts, and the acts that are committed with it
parts         the parts of a unit, one for each protocol of `ports`
shapes        rows in the shapes that statements take and give
statements    the statements of `sql/*.sql`, as methods of one object
connections   connections, each in a transaction of one scope

What is sealed at rest:

sealed        what says something of a person is sealed before it becomes a column, and opened after
vault         the keys of cases, wrapped
rest          what the release before wrote in the clear is sealed while the work goes on
rewrap        another secret in place of the vault's
keyfiles      private keys and secrets as files

The exchange log (gateway/exchange_log/README.md says what it proves):

leaves        the leaf of every act, written in the transaction of the act
sequencer     leaves get their places in the tree, and the new head is signed
publisher     the log as files that any web server can serve
witnesses     others keep our newest checkpoint, and sign that they do
stamps        time stamps of checkpoints by an authority outside
work          what a person is told of it, once
self_check    everything that the database and the files say about the log, held against each other
evidence      what the log proves of some acts
exchange_log  all of it, as engines, doors and commands ask for it

The database itself:

embedded      a real server from a wheel, under the gateway's home
migrate       the schema is brought to the newest
health        whether the database would let us work
figures       how things stand, in numbers
"""
