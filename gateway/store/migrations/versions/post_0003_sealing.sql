-- From here on what is said about a person is written sealed. The release before could not read it, so this step waits
-- until no process of it is left (phase post). The lock waits for those that have been told to write in the clear.

lock table vault_state in access exclusive mode;
update vault_state set sealing = true;
