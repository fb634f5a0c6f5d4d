"""What people and machines of the company do on an ordinary day.

Each habit is handed the company, a random source and a start time, and hands on the messages of one session
(2 to 20 records within a minute or so). None of them is an intrusion; some look odd all the same.
"""
