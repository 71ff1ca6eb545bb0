"""How much the ledger's storage takes, and what is left of it when its process is killed."""
