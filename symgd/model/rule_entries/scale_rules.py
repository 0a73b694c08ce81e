"""Update rules whose step is scaled by norms or signs, and momentum in other forms."""

from symgd.model.rule_entries.catalogue_entry import Entry

SCALING = (
    Entry(
        "lars", "rule", lr=1.0,
        defaults={"beta": 0.9, "trust": 0.001, "weight_decay": 0.0},
        title="LARS makes each step a fraction of the length of theta.",
        text="""
            u = g + weight_decay*theta
            a = norm(theta)
            b = norm(u)
            v = beta*v + lr*where(min(a, b) == 0, 1, trust*a/b)*u
            theta = theta - v
        """,
        source="""Y. You, I. Gitman, B. Ginsburg, 2017, Algorithm 1, Large Batch Training of
            Convolutional Networks, https://arxiv.org/abs/1708.03888""",
        note="""Follows optax.lars. All parameters are one layer here. In the paper the norm of the
            decay is added to that of g; torch.optim has none.""",
    ),
    Entry(
        "lamb", "rule", lr=0.01,
        defaults={"beta1": 0.9, "beta2": 0.999, "eps": 1e-6, "weight_decay": 0.0},
        title="LAMB gives Adam's step the length of theta times lr.",
        text="""
            m = beta1*m + (1 - beta1)*g
            v = beta2*v + (1 - beta2)*g**2
            u = (m/(1 - beta1**t)) / (sqrt(v/(1 - beta2**t)) + eps) + weight_decay*theta
            a = norm(theta)
            b = norm(u)
            theta = theta - lr*where(min(a, b) == 0, 1, a/b)*u
        """,
        source="""Y. You, J. Li, S. Reddi, et al., 2020, Algorithm 2, Large Batch Optimization for
            Deep Learning, https://arxiv.org/abs/1904.00962""",
        note="""Follows optax.lamb; all parameters are one layer here. The paper clips the length of
            theta by a function that it does not fix. torch.optim has none.""",
    ),
    Entry(
        "novograd", "rule", lr=0.01,
        defaults={"beta1": 0.9, "beta2": 0.25, "eps": 1e-6, "weight_decay": 0.0},
        title="NovoGrad divides by one running mean of |g|**2 for all parameters.",
        text="""
            v0 = dot(g, g)
            v = beta2*v + (1 - beta2)*dot(g, g)
            m = beta1*m + g/(sqrt(v) + eps) + weight_decay*theta
            theta = theta - lr*m
        """,
        source="""B. Ginsburg, P. Castonguay, O. Hrinchuk, et al., 2019, Algorithm 1, Stochastic
            Gradient Methods with Layer-wise Adaptive Moments, https://arxiv.org/abs/1905.11286""",
        note="""Follows optax.novograd, which is the paper; all parameters are one layer here.
            NVIDIA's code has beta2 = 0.98.""",
    ),
    Entry(
        "fromage", "rule", lr=0.01,
        defaults={"least": 1e-6},
        title="Fromage steps by lr times the length of theta, and keeps that length in check.",
        text="""
            u = g*max(norm(theta), least)/max(norm(g), least)
            theta = (theta - lr*u)/sqrt(1 + lr**2)
        """,
        source="""J. Bernstein, A. Vahdat, Y. Yue, M.-Y. Liu, 2020, Algorithm 1, On the distance
            between two neural networks, https://arxiv.org/abs/2002.03432""",
        note="""Follows optax.fromage with its least norm of 1e-6; all parameters are one layer
            here. torch.optim has none.""",
    ),
    Entry(
        "signum", "rule", lr=0.001,
        defaults={"beta": 0.9},
        title="Signum steps by the sign of a running mean of gradients.",
        text="""
            m = beta*m + (1 - beta)*g
            theta = theta - lr*sign(m)
        """,
        source="""J. Bernstein, Y.-X. Wang, K. Azizzadenesheli, A. Anandkumar, 2018, Algorithm 2,
            signSGD, https://arxiv.org/abs/1802.04434""",
        note="""The paper's formula; in optax a chain of ema(beta, debias=False) and scale_by_sign.
            torch.optim has none.""",
    ),
    Entry(
        "sm3", "rule", lr=0.1,
        defaults={"beta": 0.9, "eps": 1e-8},
        title="SM3 is Adagrad with momentum, in the form that shares memory between rows.",
        text="""
            v = v + g**2
            m = beta*m + (1 - beta)*where(v > 0, g/sqrt(v + eps), 0)
            theta = theta - lr*m
        """,
        source="""R. Anil, V. Gupta, T. Koren, Y. Singer, 2019, Algorithm SM3-II, Memory-Efficient
            Adaptive Optimization, https://arxiv.org/abs/1901.11150""",
        note="""Follows optax.sm3 for parameters that are numbers or vectors: each is a cover of its
            own, so that nothing is shared. torch.optim has none.""",
    ),
    Entry(
        "optimistic", "rule", lr=0.01,
        defaults={"alpha": 1.0, "beta": 1.0},
        title="Optimistic gradient descent steps as if the gradient kept changing as it did.",
        text="""
            last0 = g
            theta = theta - lr*((alpha + beta)*g - beta*last)
            last = g
        """,
        source="""C. Daskalakis, A. Ilyas, V. Syrgkanis, H. Zeng, 2018, eq. 5, Training GANs with
            Optimism, https://arxiv.org/abs/1711.00141; L. D. Popov, 1980, A modification of the
            Arrow-Hurwicz method, https://doi.org/10.1007/BF01141092""",
        note="""Follows optax.optimistic_gradient_descent: the first gradient stands for the one
            before it. torch.optim has none.""",
    ),
    Entry(
        "fista", "rule", lr=0.01,
        title="Nesterov's own momentum, which grows with the steps; x is returned.",
        text="""
            a0 = 1
            x0 = theta
            last = x
            x = theta - lr*g
            b = (1 + sqrt(1 + 4*a**2))/2
            theta = x + (a - 1)/b*(x - last)
            a = b
            report x
        """,
        source="""Y. Nesterov, 1983, Soviet Math. Dokl. 27, 372-376; in this form A. Beck, M.
            Teboulle, 2009, eq. 4.1-4.3, A Fast Iterative Shrinkage-Thresholding Algorithm,
            https://doi.org/10.1137/080716542""",
        note="""The papers' formula with a constant step; theta is their extrapolated point y.
            torch.optim and optax have none.""",
    ),
    Entry(
        "asgd", "rule", lr=0.01,
        defaults={"lambd": 1e-4, "alpha": 0.75, "begin": 1e6},
        title="Averaged SGD lets its rate fall and returns the mean of the points from `begin` on.",
        text="""
            eta0 = lr
            theta = theta*(1 - lambd*eta) - eta*g
            average = average + (theta - average)/max(1, t - 1 - begin)
            eta = lr/(1 + lambd*lr*t)**alpha
            report average
        """,
        source="""B. T. Polyak, A. B. Juditsky, 1992, Acceleration of stochastic approximation by
            averaging, https://doi.org/10.1137/0330046; L. Bottou, 2010, section 5""",
        note="""Follows torch.optim.ASGD (its t0 is `begin`), with the mean that torch keeps in its
            state and does not put into the parameters. optax has none.""",
    ),
)  # fmt: skip
