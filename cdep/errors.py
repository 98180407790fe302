"""What can go wrong between a service's author and this package.

DeclarationError (TypeError)   the class is wrong: raised while it is being defined
CallError        (ValueError)  a call or a column does not fit the service: the caller's fault
"""

from __future__ import annotations


class DeclarationError(TypeError):
    """A service's class breaks a rule; the message names class, method and cure in one line."""


class CallError(ValueError):
    """A call names a command or carries an argument that the service does not have."""
