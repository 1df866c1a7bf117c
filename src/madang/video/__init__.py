"""Video: cameras, what each sees, cases, grants, leases, the media gateway and the register of provisions."""
