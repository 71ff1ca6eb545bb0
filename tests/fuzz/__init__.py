"""Inputs from strangers, by the hundred thousand: nothing may crash, hang or grow.

::

    corpus --Mutator--> bytes --Target.run--> nothing, or an exception that nobody announced
       '------ atheris, led by coverage (`python -m tests.fuzz --engine atheris`)

`tests.fuzz.test_fuzz` runs a fixed sample with every test run, `make fuzz` millions.
"""
