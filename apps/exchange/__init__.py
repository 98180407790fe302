"""An exchange: orders reserve credit, are matched by price and time, and both parties of a fill are booked."""
