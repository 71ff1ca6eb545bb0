"""HTTP as RFC 9110 has it: from a representation and a request to an answer, every byte counted."""
