"""Who a party is: certificates, and the proof that the computing links reach their owners."""
