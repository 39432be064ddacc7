"""What people register: accounts, sending domains, sending addresses and their passwords."""
