"""Time travel: the state of a replica at any position of its log, command by command, from the folder that it keeps."""
