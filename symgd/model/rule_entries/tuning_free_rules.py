"""Update rules that find the size of their steps themselves, from the loss or the path."""

from symgd.model.rule_entries.catalogue_entry import Entry

_FREE = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "first": 1e-6, "weight_decay": 0.0}

TUNING_FREE = (
    Entry(
        "madgrad", "rule", lr=0.01,
        defaults={"momentum": 0.9, "eps": 1e-6},
        title="MADGRAD adds up gradients from the start and divides by a cube root.",
        text="""
            k = (lr + eps)*sqrt(t)
            v = v + k*g**2
            s = s + k*g
            theta = momentum*theta + (1 - momentum)*(theta0 - s/(cbrt(v) + eps))
        """,
        source="""A. Defazio, S. Jelassi, 2021, Algorithm 1, Adaptivity without Compromise,
            https://arxiv.org/abs/2101.11075""",
        note="""Follows the author's code and optax.contrib.madgrad, which add eps to lr; the paper
            does not. optax computes lr*sqrt(t) in single precision (seen in 0.2.8), so that it
            agrees to 1e-7 only.""",
    ),
    Entry(
        "schedule_free_sgd", "rule", lr=1.0,
        defaults={"beta": 0.9},
        title="Schedule-free SGD returns a running mean of its points in place of a falling rate.",
        text="""
            z0 = theta
            top = max(top, lr)
            weight = weight + top**2
            c = top**2/weight
            x = (theta - (1 - beta)*z)/beta
            z = z - lr*g
            x = (1 - c)*x + c*z
            theta = beta*x + (1 - beta)*z
            report x
        """,
        source="""A. Defazio, X. Yang, H. Mehta, K. Mishchenko, A. Khaled, A. Cutkosky, 2024,
            eq. 2-5, The Road Less Scheduled, https://arxiv.org/abs/2405.15682""",
        note="""Follows optax.contrib.schedule_free_sgd and the author's code: points are weighted
            by the square of the largest rate so far. theta is where the gradient is taken, x what
            is returned (optax: schedule_free_eval_params).""",
    ),
    Entry(
        "schedule_free_adam", "rule", lr=0.0025,
        defaults={"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0},
        title="Schedule-free AdamW: a running mean of points in place of momentum and schedule.",
        text="""
            z0 = theta
            top = max(top, lr)
            weight = weight + top**2
            c = top**2/weight
            v = beta2*v + (1 - beta2)*g**2
            x = (theta - (1 - beta1)*z)/beta1
            z = z - lr*(g/(sqrt(v/(1 - beta2**t)) + eps) + weight_decay*theta)
            x = (1 - c)*x + c*z
            theta = beta1*x + (1 - beta1)*z
            report x
        """,
        source="""A. Defazio, X. Yang, H. Mehta, K. Mishchenko, A. Khaled, A. Cutkosky, 2024,
            Algorithm 1, The Road Less Scheduled, https://arxiv.org/abs/2405.15682""",
        note="""Follows optax.contrib.schedule_free_adamw without warmup. The author's code weights
            with warmup and corrects the bias in its own order.""",
    ),
    Entry(
        "dog", "rule", lr=1.0,
        defaults={"first": 1e-6, "eps": 1e-8},
        title="DoG steps by the distance from the start over the root of all squared gradients.",
        text="""
            r0 = first*(1 + norm(theta))
            r = max(r, norm(theta - theta0))
            s = s + dot(g, g)
            theta = theta - lr*r/sqrt(s + eps)*g
        """,
        source="""M. Ivgi, O. Hinder, Y. Carmon, 2023, eq. 1-2, DoG is SGD's Best Friend,
            https://arxiv.org/abs/2302.12022""",
        note="""Follows optax.contrib.dog and the author's code. They return an average of the last
            points beside theta: join `averaging` for one. lr stays at 1.""",
    ),
    Entry(
        "dowg", "rule", lr=1.0,
        defaults={"eps": 1e-4},
        title="DoWG is DoG with gradients weighted by the distance from the start.",
        text="""
            r0 = eps
            r = max(r, dot(theta - theta0, theta - theta0))
            v = v + r*dot(g, g)
            theta = theta - lr*r/(sqrt(v) + eps)*g
        """,
        source="""A. Khaled, K. Mishchenko, C. Jin, 2023, Algorithm 1, DoWG Unleashed,
            https://arxiv.org/abs/2305.16284""",
        note="""Follows optax.contrib.dowg: r is the squared distance, eps its first value and is
            added to the root; in the paper nothing is added. lr stays at 1.""",
    ),
    Entry(
        "dadapt_adam", "rule", lr=1.0,
        defaults=_FREE,
        title="D-Adaptation finds Adam's rate by a bound of the distance to the minimum.",
        text="""
            d0 = first
            k = d*lr*sqrt(1 - beta2**t)/(1 - beta1**t)
            q = sqrt(beta2)
            a = q*a + (1 - q)*k*dot(g, s/(sqrt(v) + eps))
            m = beta1*m + (1 - beta1)*k*g
            v = beta2*v + (1 - beta2)*g**2
            s = q*s + (1 - q)*k*g
            d = max(d, a/max((1 - q)*sum(abs(s)), 1e-300))
            theta = theta - weight_decay*k*theta - m/(sqrt(v) + eps)
        """,
        source="""A. Defazio, K. Mishchenko, 2023, Algorithm 5, Learning-Rate-Free Learning by
            D-Adaptation, https://arxiv.org/abs/2301.07733""",
        note="""Follows optax.contrib.dadapt_adamw; the paper does not correct the bias. lr stays
            at 1. A gradient of 0 from the start on leaves d as it is, where optax has nan.""",
    ),
    Entry(
        "prodigy", "rule", lr=1.0,
        defaults=_FREE | {"growth": 1.0},
        title="Prodigy finds Adam's rate from how far gradients point back to the start.",
        text="""
            d0 = first
            k = d*lr*sqrt(1 - beta2**t)/(1 - beta1**t)
            q = sqrt(beta2)
            m = beta1*m + (1 - beta1)*d*g
            v = beta2*v + (1 - beta2)*(d*g)**2
            s = q*s + k*d*g/first
            a = q*a + d/first*k*dot(g, theta0 - theta)
            d = max(d, growth*a/max(sum(abs(s)), 1e-300))
            theta = theta - weight_decay*k*theta - k*m/(sqrt(v) + d*eps)
        """,
        source="""K. Mishchenko, A. Defazio, 2023, Algorithm 4, Prodigy,
            https://arxiv.org/abs/2306.06101""",
        note="""Follows optax.contrib.prodigy, with the bias correction that the author's code has
            as an option. lr stays at 1. A gradient of 0 from the start on leaves d as it is, where
            optax has nan.""",
    ),
    Entry(
        "cocob", "rule", lr=1.0,
        defaults={"alpha": 100.0, "eps": 1e-8},
        title="COCOB bets on gradients like on coins, and has no learning rate.",
        text="""
            l0 = eps
            l = max(l, abs(g))
            s = s + abs(g)
            r = max(r - g*(theta - theta0), 0)
            c = c - g
            theta = theta0 + c/(l*max(s + l, alpha*l))*(l + r)
        """,
        source="""F. Orabona, T. Tommasi, 2017, Algorithm 2, Training Deep Networks without Learning
            Rates Through Coin Betting, https://arxiv.org/abs/1705.07795""",
        note="Follows optax.contrib.cocob, which is the paper; lr is not read.",
    ),
    Entry(
        "polyak", "rule", lr=1.0,
        defaults={"f_min": 0.0},
        title="Polyak's step is the height above the least loss over |g|**2, at most lr.",
        text="""
            s = dot(g, g)
            theta = theta - where(s <= 2**(-52), 0, min((L - f_min)/s, lr))*g
        """,
        source="""B. T. Polyak, 1987, Introduction to Optimization, section 5.3; N. Loizou, S.
            Vaswani, I. Laradji, S. Lacoste-Julien, 2021, eq. 4 (SPS_max),
            https://arxiv.org/abs/2002.10542""",
        note="""Follows optax.polyak_sgd; f_min is the least loss, 0 unless --set says. torch.optim
            has none.""",
    ),
    Entry(
        "alig", "rule", lr=0.1,
        defaults={"delta": 1e-5},
        title="ALI-G is Polyak's step for losses that reach 0, with a bound of lr.",
        text="theta = theta - min(lr, L/(dot(g, g) + delta))*g",
        source="""L. Berrada, A. Zisserman, M. P. Kumar, 2020, Algorithm 1, Training Neural Networks
            for and by Interpolation, https://arxiv.org/abs/1906.05661""",
        note="""The paper's formula; the author's code adds Nesterov's momentum by default.
            torch.optim and optax have none.""",
    ),
    Entry(
        "momo", "rule", lr=1.0,
        defaults={"beta": 0.9, "f_min": 0.0},
        title="MoMo is Polyak's step for momentum: the height of a model of the loss.",
        text="""
            b = where(t == 1, 0, beta)
            f = b*f + (1 - b)*L
            m = b*m + (1 - b)*g
            c = b*c + (1 - b)*dot(g, theta)
            s = dot(m, m)
            k = where(s <= 2**(-52), 0, max(f - f_min - c + dot(m, theta), 0)/s)
            theta = theta - min(lr, k)*m
        """,
        source="""F. Schaipp, R. Ohana, M. Eickenberg, A. Defazio, R. M. Gower, 2023, Algorithm 1,
            MoMo: Momentum Models for Adaptive Learning Rates, https://arxiv.org/abs/2305.07583""",
        note="Follows optax.contrib.momo, which is the paper, without weight decay.",
    ),
    Entry(
        "barzilai_borwein", "rule", lr=0.001,
        title="Barzilai and Borwein's step is that of the secant; lr is the first one.",
        text="""
            last0 = theta
            slope0 = g
            s = theta - last
            y = g - slope
            c = dot(s, y)
            last = theta
            slope = g
            theta = theta - where(c > 0, dot(s, s)/c, lr)*g
        """,
        source="""J. Barzilai, J. M. Borwein, 1988, eq. 5, Two-Point Step Size Gradient Methods, IMA
            J. Numer. Anal. 8, 141-148, https://doi.org/10.1093/imanum/8.1.141""",
        note="""The longer of their two steps; where the curvature along the last step is not above
            0 the step is lr, which they do not treat. torch.optim and optax have none.""",
    ),
    Entry(
        "hypergradient", "rule", lr=0.001,
        defaults={"beta": 1e-4},
        title="Hypergradient descent moves its rate along the product of the last two gradients.",
        text="""
            a0 = lr
            a = a + beta*dot(g, last)
            last = g
            theta = theta - a*g
        """,
        source="""A. G. Baydin, R. Cornish, D. Martinez Rubio, M. Schmidt, F. Wood, 2018, eq. 5,
            Online Learning Rate Adaptation with Hypergradient Descent,
            https://arxiv.org/abs/1703.04782""",
        note="The paper's SGD-HD with the beta of its section 5; torch.optim and optax have none.",
    ),
)  # fmt: skip
