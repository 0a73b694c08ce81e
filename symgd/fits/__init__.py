"""Fits of formulas to data: least squares, robust losses and likelihoods, with error bars.

    import symgd
    print(symgd.fit("y = a*exp(-b*x) + c", "data.csv"))

`regression_model` parses the model, `starts` finds a start, `least_squares` and
`minimize_loss` minimize, `certificate` decides on convergence, `statistics` computes the errors.
"""
