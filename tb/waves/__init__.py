"""What a run's waves look like when they are opened: groups, names of states, markers, for GTKWave."""
