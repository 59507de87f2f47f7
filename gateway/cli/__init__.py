"""The operator's door: `gateway …` on the command line.

Exit codes, everywhere the same:
    0  done          1  something was refused or does not add up (said on the screen)
    2  wrong usage   3  the database cannot be reached        4  a setting, a file or the installation is wrong

Commands:

main         the command line: all commands that are no group
status       `status`: what is here, and how it stands
standing     how it stands: processes, readiness, queues
keys         `key`: public keys of partners, and our own
operating    `partner`, `dead`, `replay`: lines to partners, and what went no further on them
work         `work`: what people have to look at
maps         `map`: what analysts do with their files
log          `log`: what auditors do with the exchange log
retention    `retention`: how long records are kept, and their end
vault        `vault`: another secret for the keys of cases
handovers    `intake`: what came of files
books        `reconcile`: what came of a day with a partner
here         the gateway of this home, opened for one command
words        what people may type
screen       what commands print

Processes:

serving      the partners' door in a thread, and being told to stop
in_time      requests that come too slowly are cut off
supervisor   everything of `up`, each in its own process
child        one process under the supervisor
running      who runs in a home, seen from outside

The demo:

demo         its story
engines      the two engines that it can tell its story to
report       what it found, and how people are told
reckoning    what does not add up
outside      what a stranger's tool says of the log
pretend      the sandbox: settings and homes for pretend partners
partners     pretend partners, started and spoken to
"""

from __future__ import annotations

from gateway.cli.main import main

__all__ = ["main"]
