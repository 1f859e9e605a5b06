"""Where other systems send alerts: each is answered as the product it was made for would."""
