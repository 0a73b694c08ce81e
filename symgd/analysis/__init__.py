"""What mathematics says of a loss and a rule: verdict, stability, critical points, diagnosis."""
