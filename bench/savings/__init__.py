"""What peers save, as the account has it, beside what the origin did not send."""
