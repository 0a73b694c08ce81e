"""Fits of formulas to data: least squares, robust losses and likelihoods, with error bars.

    import symgd
    print(symgd.fit("y = a*exp(-b*x) + c", "data.csv"))

`model` reads what to fit, `starts` finds where to begin, `levenberg` (least squares) and `newton`
(everything else) go to the minimum, `statistics` says how well it is known, `report` prints it.
"""
