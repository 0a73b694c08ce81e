"""Update rules that divide a mean of gradients by the root of a mean of squares, after Adam."""

from symgd.model.rule_entries.catalogue_entry import Entry

_ADAM = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}

ADAM_FAMILY = (
    Entry(
        "nadamw", "rule", lr=0.002,
        defaults={**_ADAM, "momentum_decay": 0.004, "weight_decay": 0.01},
        title="NAdamW is NAdam with weight decay outside of the adaptive part.",
        text="""
            m = beta1*m + (1 - beta1)*g
            v = beta2*v + (1 - beta2)*g**2
            mu = beta1*(1 - 0.5*0.96**(t*momentum_decay))
            mu_next = beta1*(1 - 0.5*0.96**((t + 1)*momentum_decay))
            mu_prod = where(t == 1, mu, mu_prod*mu)
            d = (1 - mu)*g/(1 - mu_prod) + mu_next*m/(1 - mu_prod*mu_next)
            d = d/(sqrt(v/(1 - beta2**t)) + eps)
            theta = theta - lr*(d + weight_decay*theta)
        """,
        source="""T. Dozat, 2016, Algorithm 2, Incorporating Nesterov Momentum into Adam,
            https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ; I. Loshchilov, F. Hutter, 2019,
            Decoupled Weight Decay Regularization, https://arxiv.org/abs/1711.05101""",
        note="""Follows torch.optim.NAdam(decoupled_weight_decay=True), whose weight_decay is 0.
            optax.nadamw keeps the momentum at beta1 and has weight_decay 1e-4.""",
    ),
    Entry(
        "adamaxw", "rule", lr=0.002,
        defaults={**_ADAM, "weight_decay": 0.01},
        title="AdamaxW is Adamax with weight decay outside of the adaptive part.",
        text="""
            m = beta1*m + (1 - beta1)*g
            u = max(beta2*u, abs(g) + eps)
            theta = theta - lr*((m/(1 - beta1**t))/u + weight_decay*theta)
        """,
        source="""D. P. Kingma, J. Ba, 2015, Algorithm 2, https://arxiv.org/abs/1412.6980; the decay
            of I. Loshchilov, F. Hutter, 2019, https://arxiv.org/abs/1711.05101""",
        note="optax.adamaxw is the same formula with weight_decay 1e-4; torch.optim has none.",
    ),
    Entry(
        "adabelief", "rule", lr=0.001,
        defaults={"beta1": 0.9, "beta2": 0.999, "eps": 1e-16, "eps_root": 1e-16},
        title="AdaBelief divides by how far the gradient is from its running mean.",
        text="""
            m = beta1*m + (1 - beta1)*g
            s = beta2*s + (1 - beta2)*(g - m)**2 + eps_root
            theta = theta - lr*(m/(1 - beta1**t)) / (sqrt(s/(1 - beta2**t)) + eps)
        """,
        source="""J. Zhuang, T. Tang, Y. Ding, et al., 2020, Algorithm 2, AdaBelief Optimizer,
            https://arxiv.org/abs/2010.07468""",
        note="""Follows optax.adabelief, which is the paper with eps inside of the sum and outside
            of the root. The author's code has eps 1e-8 in older versions and rectifies the first
            steps by default.""",
    ),
    Entry(
        "yogi", "rule", lr=0.01,
        defaults={"beta1": 0.9, "beta2": 0.999, "eps": 1e-3, "first": 1e-6},
        title="Yogi moves its second moment by an amount that does not depend on its size.",
        text="""
            m0 = first
            v0 = first
            m = beta1*m + (1 - beta1)*g
            v = v - (1 - beta2)*sign(v - g**2)*g**2
            theta = theta - lr*(m/(1 - beta1**t)) / (sqrt(v/(1 - beta2**t)) + eps)
        """,
        source="""M. Zaheer, S. Reddi, D. Sachan, S. Kale, S. Kumar, 2018, Algorithm 2, Adaptive
            Methods for Nonconvex Optimization, NeurIPS 31,
            https://papers.nips.cc/paper/2018/hash/90365351ccc7437a1309dc64e4db32a3-Abstract.html""",
        note="""Follows optax.yogi: both moments start at 1e-6 and their bias is corrected. The
            paper does not correct it, and starts v at the square of a gradient.""",
    ),
    Entry(
        "adan", "rule", lr=0.001,
        defaults={"beta1": 0.98, "beta2": 0.92, "beta3": 0.99, "eps": 1e-8, "eps_root": 1e-8},
        title="Adan adds the change of the gradient to its momentum, as Nesterov's method does.",
        text="""
            last0 = g
            d = g - last
            last = g
            m = beta1*m + (1 - beta1)*g
            v = beta2*v + (1 - beta2)*d
            s = beta3*s + (1 - beta3)*(g + (1 - beta2)*d)**2
            u = m/(1 - beta1**t) + (1 - beta2)*v/(1 - beta2**t)
            theta = theta - lr*u/(sqrt(s/(1 - beta3**t) + eps_root) + eps)
        """,
        source="""X. Xie, P. Zhou, H. Li, Z. Lin, S. Yan, 2022, Algorithm 1, Adan,
            https://arxiv.org/abs/2208.06677""",
        note="""Follows optax.adan, whose beta is the part that is kept (the paper's beta2 = 0.08 is
            0.92 here). The author's code multiplies the last term by beta2 where optax has
            1 - beta2: both are 0.92 of their own letters; the decay is not joined in here.""",
    ),
    Entry(
        "adopt", "rule", lr=0.001,
        defaults={"beta1": 0.9, "beta2": 0.9999, "eps": 1e-6},
        title="ADOPT divides by the second moment before the present gradient enters it.",
        text="""
            d = clip(g/max(sqrt(v), eps), -(t - 1)**0.25, (t - 1)**0.25)
            m = where(t == 1, 0, beta1*m + (1 - beta1)*d)
            v = where(t == 1, g**2, beta2*v + (1 - beta2)*g**2)
            theta = theta - lr*m
        """,
        source="""S. Taniguchi, K. Harada, G. Minegishi, et al., 2024, Algorithm 2, ADOPT,
            https://arxiv.org/abs/2411.02853""",
        note="""Follows optax.contrib.adopt and the author's code with its clipping at (t - 1)^0.25,
            which the first version of the paper does not have. The first step only fills v.""",
    ),
    Entry(
        "ademamix", "rule", lr=0.001,
        defaults={**_ADAM, "beta3": 0.9999, "alpha": 6.0},
        title="AdEMAMix adds a very slow mean of gradients to Adam's.",
        text="""
            m = beta1*m + (1 - beta1)*g
            slow = beta3*slow + (1 - beta3)*g
            v = beta2*v + (1 - beta2)*g**2
            d = (m/(1 - beta1**t) + alpha*slow) / (sqrt(v/(1 - beta2**t)) + eps)
            theta = theta - lr*d
        """,
        source="""M. Pagliardini, P. Ablin, D. Grangier, 2024, Algorithm 1, The AdEMAMix Optimizer,
            https://arxiv.org/abs/2409.03137""",
        note="""Follows optax.contrib.ademamix with constant beta3 and alpha. The paper lets both
            grow over the first steps, by formulas of t and n that can be written in their place.
            The slow mean's bias is not corrected, in any of them.""",
    ),
    Entry(
        "qhadam", "rule", lr=0.001,
        defaults={"beta1": 0.995, "beta2": 0.999, "nu1": 0.7, "nu2": 1.0, "eps": 1e-8},
        title="QHAdam mixes the gradient itself into both of Adam's means.",
        text="""
            m = beta1*m + (1 - beta1)*g
            v = beta2*v + (1 - beta2)*g**2
            d = (1 - nu1)*g + nu1*m/(1 - beta1**t)
            theta = theta - lr*d/(sqrt((1 - nu2)*g**2 + nu2*v/(1 - beta2**t)) + eps)
        """,
        source="""J. Ma, D. Yarats, 2019, Table 1 and section 4, Quasi-hyperbolic momentum and Adam
            for deep learning, https://arxiv.org/abs/1810.06801""",
        note="""The paper's formula, as the author's qhoptim. pytorch_optimizer (2026) adds
            1 - beta2*g^2 to v, which is no mean; torch.optim and optax have none.""",
    ),
    Entry(
        "laprop", "rule", lr=0.0004,
        defaults={"beta1": 0.9, "beta2": 0.999, "eps": 1e-15},
        title="LaProp takes the mean after the division, not before.",
        text="""
            v = beta2*v + (1 - beta2)*g**2
            m = beta1*m + (1 - beta1)*g/(sqrt(v/(1 - beta2**t)) + eps)
            theta = theta - lr*m/(1 - beta1**t)
        """,
        source="""L. Ziyin, Z. T. Wang, M. Ueda, 2020, Algorithm 1, LaProp: Separating Momentum and
            Adaptivity in Adam, https://arxiv.org/abs/2002.04839""",
        note="""The paper's formula. The author's code keeps lr inside of m, which differs where lr
            changes with t; torch.optim and optax have none.""",
    ),
    Entry(
        "acprop", "rule", lr=0.001,
        defaults={"beta1": 0.9, "beta2": 0.999, "eps": 1e-16},
        title="ACProp divides by the spread of the gradients before the present one.",
        text="""
            spread = where(t == 1, 1, s/(1 - beta2**(t - 1)))
            theta = theta - lr*g/(sqrt(spread) + eps)
            s = beta2*s + (1 - beta2)*(g - m)**2 + eps
            m = beta1*m + (1 - beta1)*g
        """,
        source="""J. Zhuang, Y. Ding, T. Tang, et al., 2021, Algorithm 1, Momentum Centering and
            Asynchronous Update for Adaptive Gradient Methods, https://arxiv.org/abs/2110.05454""",
        note="""Follows optax.contrib.acprop: the first step is lr*g, and g is measured against the
            mean before it; the paper measures it against the mean with it.""",
    ),
    Entry(
        "cautious_adam", "rule", lr=0.001,
        defaults={**_ADAM, "least": 1e-3},
        title="Cautious Adam moves only the parameters whose step agrees with the gradient's sign.",
        text="""
            m = beta1*m + (1 - beta1)*g
            v = beta2*v + (1 - beta2)*g**2
            u = (m/(1 - beta1**t)) / (sqrt(v/(1 - beta2**t)) + eps)
            agrees = where(u*g > 0, 1, 0)
            theta = theta - lr*u*agrees/max(mean(agrees), least)
        """,
        source="""K. Liang, L. Chen, B. Liu, Q. Liu, 2024, Algorithm 1, Cautious Optimizers,
            https://arxiv.org/abs/2411.16085""",
        note="""The author's code (C-AdamW) without its weight decay: the mean is taken over each
            tensor there, over all parameters here. The paper adds 1 to the count in place of the
            bound below.""",
    ),
    Entry(
        "grams", "rule", lr=0.001,
        defaults=_ADAM,
        title="Grams takes the size of the step from Adam and its direction from the gradient.",
        text="""
            m = beta1*m + (1 - beta1)*g
            v = beta2*v + (1 - beta2)*g**2
            u = (m/(1 - beta1**t)) / (sqrt(v/(1 - beta2**t)) + eps)
            theta = theta - lr*sign(g)*abs(u)
        """,
        source="""Y. Cao, X. Li, Z. Song, 2024, Algorithm 1, Grams: Gradient Descent with Adaptive
            Momentum Scaling, https://arxiv.org/abs/2412.17107""",
        note="""The paper's formula without weight decay. pytorch_optimizer (2026) takes beta1 as
            the weight of the new gradient; torch.optim and optax have none.""",
    ),
    Entry(
        "mars", "rule", lr=0.003,
        defaults={"beta1": 0.95, "beta2": 0.99, "gamma": 0.025, "eps": 1e-8},
        title="MARS corrects the gradient by its change before Adam sees it.",
        text="""
            last0 = g
            c = g + gamma*beta1/(1 - beta1)*(g - last)
            last = g
            c = c/max(norm(c), 1)
            m = beta1*m + (1 - beta1)*c
            v = beta2*v + (1 - beta2)*c**2
            theta = theta - lr*(m/(1 - beta1**t)) / (sqrt(v/(1 - beta2**t)) + eps)
        """,
        source="""H. Yuan, Y. Liu, S. Wu, X. Zhou, Q. Gu, 2024, Algorithm 2 (MARS-AdamW), MARS:
            Unleashing the Power of Variance Reduction, https://arxiv.org/abs/2411.10438""",
        note="""The approximate form of the author's code, which keeps the gradient of the step
            before; the exact one evaluates it on the rows of this step. No weight decay; the norm
            is that over all parameters. torch.optim and optax have none.""",
    ),
)  # fmt: skip
