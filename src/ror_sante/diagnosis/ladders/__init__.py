"""The ladders of the smoke test, one a service, each made of rungs that stand on their own.

To add the ladder of a service:

1. Write a module here with one function that takes a `Ground` and gives a `Ladder`; `national` is the pattern.
2. Start from the rungs that all services share: `own.OwnSide` judges trust and certificate, `way.Way` walks to hosts
   (names, ports, handshakes, chains). Both give `Rung` objects that go into the ladder as they are.
3. Add the rungs of the service. A `Rung` has a name that is stable for programs, a function that looks and gives a
   `Seen` (`ok`, `warn`, `skipped`, or `failed` for an error of ours, which it may as well raise), and the names of the
   rungs that it ``needs``: when one of them failed it is skipped, and says which. ``after`` only waits, whatever came
   of it. What is ready runs side by side, each rung in a thread, so a rung shares with others only what it stores
   before it ends and they read after they needed it, or waited for it.
4. A rung that looks at several endpoints (a token host and an API host, eighteen regions) is several `Rung` objects of
   the same name, told apart by their ``column``. They run side by side; the report shows one check of that name
   with a part for each column, and the worst counts. A need is looked for in the rung's own column, then in the one
   that has no name; where neither has it, in all columns.
5. Every wait inside a rung has a time limit of its own; the limit of the whole test only stops waiting for it.
6. Say in a `Service` what it is called, how its ladder is made, and why it may be absent (no address, no region
   configured); add it to ``SERVICES`` in `ror_sante.diagnosis.smoke`, to the table of docs/smoke-test.md, and test it
   with every rung failing in turn (`tests/diagnosis/test_smoke.py`).
"""
