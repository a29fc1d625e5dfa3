"""What happened to an order: the message that the shop sends and every function after it reads."""
