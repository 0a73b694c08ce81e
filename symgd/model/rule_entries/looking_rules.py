"""Update rules that evaluate the loss, its gradient or its Hessian once more in a step."""

from symgd.model.rule_entries.catalogue_entry import Entry

LOOKING = (
    Entry(
        "extragradient", "rule", lr=0.01,
        title="Extragradient takes the gradient where a plain step would lead.",
        text="theta = theta - lr*grad(theta - lr*g)",
        source="""G. M. Korpelevich, 1976, The extragradient method for finding saddle points and
            other problems, Matecon 12, 747-756; described in
            https://doi.org/10.1007/978-1-4419-8853-9 by F. Facchinei, J.-S. Pang, 2003""",
        note="The paper's formula; torch.optim and optax have none.",
    ),
    Entry(
        "conjugate_gradient", "rule", lr=0.001,
        title="Nonlinear conjugate gradients of Polak and Ribière; best with --lr auto.",
        text="""
            d = max(dot(g, g - last)/where(t == 1, 1, dot(last, last)), 0)*d - g
            last = g
            theta = theta + lr*d
        """,
        source="""E. Polak, G. Ribière, 1969, Note sur la convergence de méthodes de directions
            conjuguées; with the 0 of M. J. D. Powell, 1984; J. Nocedal, S. Wright, 2006, eq. 5.45,
            Numerical Optimization, https://doi.org/10.1007/978-0-387-40065-5""",
        note="""Powell's PR+, with the learning rate as length of the step. torch.optim and optax
            have none; SciPy's method CG adds a line search of Wolfe.""",
    ),
    Entry(
        "spsa", "rule", lr=0.1,
        defaults={"c": 0.01, "alpha": 0.602, "gamma": 0.101, "stability": 50.0},
        title="SPSA measures the slope along one random direction, by two losses.",
        text="""
            width = c/t**gamma
            d = rademacher()
            slope = (loss(theta + width*d) - loss(theta - width*d))/(2*width)
            theta = theta - lr/(t + stability)**alpha*slope/d
        """,
        source="""J. C. Spall, 1992, eq. 2.2, Multivariate stochastic approximation using a
            simultaneous perturbation gradient approximation,
            https://doi.org/10.1109/9.119632""",
        note="""The paper's formula with the gains of Spall, 1998. The random signs are symgd's own,
            drawn from --seed; torch.optim and optax have none.""",
    ),
    Entry(
        "adahessian", "rule", lr=0.1,
        defaults={"beta1": 0.9, "beta2": 0.999, "eps": 1e-4},
        title="AdaHessian divides by a mean of the Hessian's diagonal, seen by a random vector.",
        text="""
            z = rademacher()
            m = beta1*m + (1 - beta1)*g
            v = beta2*v + (1 - beta2)*(z*hvp(z))**2
            theta = theta - lr*(m/(1 - beta1**t)) / (sqrt(v/(1 - beta2**t)) + eps)
        """,
        source="""Z. Yao, A. Gholami, S. Shen, M. Mustafa, K. Keutzer, M. Mahoney, 2021,
            Algorithm 1, ADAHESSIAN, https://arxiv.org/abs/2006.00719""",
        note="""The paper's formula for parameters that are numbers: nothing is averaged over blocks
            of a tensor, and the Hessian power is 1. The random signs are symgd's own; torch.optim
            and optax have none.""",
    ),
    Entry(
        "sophia_h", "rule", lr=0.001,
        defaults={"beta1": 0.965, "beta2": 0.99, "gamma": 0.01, "eps": 1e-12, "every": 10.0},
        title="Sophia divides the mean gradient by the Hessian's diagonal, and clips at 1.",
        text="""
            m = beta1*m + (1 - beta1)*g
            u = normal()
            h = where(mod(t - 1, every) == 0, beta2*h + (1 - beta2)*u*hvp(u), h)
            theta = theta - lr*clip(m/max(gamma*h, eps), -1, 1)
        """,
        source="""H. Liu, Z. Li, D. Hall, P. Liang, T. Ma, 2023, Algorithm 3 with Hutchinson's
            estimate (Algorithm 1), Sophia, https://arxiv.org/abs/2305.14342""",
        note="""The paper's formula without weight decay. optax.contrib.sophia draws other random
            vectors; the normal numbers are symgd's own. torch.optim has none.""",
    ),
)  # fmt: skip
