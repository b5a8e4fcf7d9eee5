"""What executes the notebooks and looks after the machine: the command line, the runner, the doctor."""
