"""Refuting a service's annotations: handlers run on traced state, and calls that may run in any order are compared."""
