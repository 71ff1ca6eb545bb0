"""What is measured: one module, one command, one table each."""
