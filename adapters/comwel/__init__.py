"""How COMWEL hands over and takes back: one module a way, and the few things the ways share.

`handover` (A1 nightly batch, A6 coordinators' entries) reads; `acknowledgement` and `rtw_register` write; `synthetic`
invents nights for demonstrations and tests. It refuses to know what happens to a record: that is `gateway.journey`.
"""
