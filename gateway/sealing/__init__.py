"""Sealing: who said it, when, and that not one byte changed. Bytes in, verdict out; no I/O, no clock, no own ids.

algorithms   the signature schemes, under their JOSE and their RFC 9421 names
gate         which public keys are fit to be believed (JWK, RFC 7517)
keys         key records with their periods, and the ring that finds them
base64url    one spelling for every value
step         a numbered step of a verification, for refusals to name
claims       strict JSON for JOSE headers and payloads
compact      the strict compact JWS (RFC 7515) under manifests and receipts
manifest     the durable proof of a message: a signed statement of its parts' digests
receipts     the receiver's signed word on a message
lists        what one side says went between the two in a period, signed
comparison   two books of the same messages, held against each other
http         the proof of one attempt: RFC 9421 with RFC 9530, one fixed profile
heads        what is kept of that proof, and of the head of its answer
"""
