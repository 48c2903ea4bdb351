"""Where weights come from: revision names, local folders, fingerprints and loading."""
