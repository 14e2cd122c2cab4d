"""What a host needs around the refresh; each command loads its own libraries."""
