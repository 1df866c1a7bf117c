"""People, agencies, devices and cities: who they are and what each may do."""
