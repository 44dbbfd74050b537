"""Write smoke tests as one HTML file that can be mailed to a support desk: nothing is fetched, nothing runs."""
