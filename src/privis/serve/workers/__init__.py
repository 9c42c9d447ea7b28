"""Workers that compute on one client's keys, and who starts and feeds them."""
