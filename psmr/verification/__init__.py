"""Refuting a service's annotations: handlers run interpreted over traced state, and calls that may run in any order are compared."""
