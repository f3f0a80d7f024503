"""What requests bring and what answers tell, as pydantic models: requests are checked by them, answers in the tests."""
