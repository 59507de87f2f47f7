"""The verbs, one file each: what happens, step by step.

Each begins with its plan as a numbered comment and walks it with the same numbers. Each runs in units of work: rows,
outbox and one audit event per act commit together, or the rows are undone and only the refusal is kept.

The way of a case, in the order to read it:

world        what the verbs hold in their hands
intake       a file from COMWEL is taken in, or refused whole
admit        its records become revisions of cases
judge        may anything about a case leave, to whom no longer, and until when is that so
screen       every new revision is judged, and seats are allotted
refer        a priority case becomes a request, and a sealed message for each partner that is asked
disclose     what may leave to one partner now, and how that partner sees it
compose      one message, mapped, checked and sealed
translate    one map run over one document
deliver      waiting messages are brought to a partner, and proven to be there
finish       what became of the attempts is written, all of it in one commit
lines        what attempts say about the line to a partner, and whether messages queue for it
receive      what partners send is proven, understood, applied, or refused with a receipt
prove        whose request it is, and that it is fresh and whole
reply        what goes back for a proven message, and what of it goes into the books
unproven     what was refused unbelieved is counted, until an act stands for it
understand   a partner's bytes become a canonical outcome
hearing      the legs that some messages are about, and what the messages change of them
apply        what one outcome does to its leg
retention_checks  whether the worker is still there: asked when, answered by what
legs         between the row of a leg and the leg that knows its moves
inbox        what time does to messages that came in
track        facts become judgements, and judgements updates
write_back   updates become files for COMWEL
withdraw     what may no longer be served is called back

What officers do:

gate         pause a partner, stop it, let it flow again
replay       send messages again that were given up
work         look at what is open, and say that it is done
look         cases, exchanges and dead messages, a line each
explain      why a message says what it says
review       look through who read what, once a month
account      acts as FHIR AuditEvents
provenance   messages as FHIR Provenance
complete     a signed report on whether anything is missing
evidence     everything that a stranger can check, in one bundle
evidence_files  the files of a bundle, and the list of what it lacks

What the clock does:

activate     what the gateway goes by is on record before anything is done by it
rotate       another key of ours takes over
signing      which key of ours signs now
reconcile    signed lists of a day are exchanged with partners and compared
destroy      records end when nothing keeps them any more
"""
