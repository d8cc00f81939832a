"""Who may ask what: policy, and the origins a browser may ask from."""
