"""Prefixes change g before a rule, suffixes change theta after it; both are joined by +."""

from symgd.model.rule_entries.catalogue_entry import Entry

PARTS = (
    Entry(
        "clip_value", "prefix", lr=0.01,
        defaults={"max_value": 1.0},
        title="Clips each component of the gradient to [-max_value, max_value].",
        text="g = clip(g, -max_value, max_value)",
        source="""R. Pascanu, T. Mikolov, Y. Bengio, 2013 (who credit T. Mikolov's thesis of
            2012), On the difficulty of training recurrent neural networks,
            https://arxiv.org/abs/1211.5063""",
        note="""torch.nn.utils.clip_grad_value_ and optax.clip agree. The default of 1 is ours: they
            have none.""",
    ),
    Entry(
        "clip_norm", "prefix", lr=0.01,
        defaults={"max_norm": 1.0},
        title="""Shortens the gradient to the length max_norm when it is longer; its direction
            stays.""",
        text="g = g*(max_norm/max(norm(g), max_norm))",
        source="""R. Pascanu, T. Mikolov, Y. Bengio, 2013, Algorithm 1, On the difficulty of
            training recurrent neural networks, https://arxiv.org/abs/1211.5063""",
        note="""The paper's formula, which is optax.clip_by_global_norm: the norm is that over all
            parameters. torch.nn.utils.clip_grad_norm_ divides by norm + 1e-6 instead, and so clips
            to a little less than max_norm. Here nothing divides by a norm of 0, as max_norm > 0.
            The default of 1 is ours: they have none.""",
    ),
    Entry(
        "weight_decay", "prefix", lr=0.01,
        defaults={"weight_decay": 0.01},
        title="Adds the gradient of weight_decay/2*theta**2, the L2 penalty, to the gradient.",
        text="g = g + weight_decay*theta",
        source="""I. Loshchilov, F. Hutter, 2019, Algorithm 1, Decoupled Weight Decay
            Regularization, https://arxiv.org/abs/1711.05101; A. Krogh, J. A. Hertz, 1992, A
            Simple Weight Decay Can Improve Generalization, NIPS 4,
            https://papers.nips.cc/paper/1991/hash/8eefcfdf5990e441f0fb6f3fad709e21-Abstract.html""",
        note="""The weight_decay of torch.optim.SGD, Adagrad, RMSprop, Adadelta, Adam and Adamax,
            and optax.add_decayed_weights put before a rule. Before an adaptive rule it is not the
            decay of adamw. The default is that of torch.optim.AdamW; torch's others have 0.""",
    ),
    Entry(
        "sam", "prefix", lr=0.01,
        defaults={"rho": 0.05},
        title="SAM takes the gradient at the highest point nearby, for flat minima.",
        text="g = grad(theta + rho*g/(norm(g) + 1e-12))",
        source="""P. Foret, A. Kleiner, H. Mobahi, B. Neyshabur, 2021, Algorithm 1,
            Sharpness-Aware Minimization, https://arxiv.org/abs/2010.01412""",
        note="""The paper's formula; 1e-12 is that of the PyTorch code by D. Samuel.
            optax.contrib.sam normalizes by the root without it, and may climb several steps.""",
    ),
    Entry(
        "box", "suffix", lr=0.01,
        title="Projects each parameter back into [lower, upper] after the step.",
        text="theta = clip(theta, lower, upper)",
        source="""A. A. Goldstein, 1964, Convex programming in Hilbert space, Bull. Amer. Math. Soc.
            70, 709-710, https://doi.org/10.1090/S0002-9904-1964-11178-2; E. S. Levitin, B. T.
            Polyak, 1966, Constrained minimization methods, USSR Comput. Math. Math. Phys. 6(5),
            1-50, https://doi.org/10.1016/0041-5553(66)90114-5""",
        note="""optax.projections.projection_box; torch.optim has none. lower and upper have no
            defaults.""",
    ),
    Entry(
        "lookahead", "suffix", lr=0.01,
        defaults={"lookahead_every": 5.0, "lookahead_part": 0.5},
        title="Lookahead goes back, every few steps, to a point part of the way from the last one.",
        text="""
            lookahead_slow0 = theta
            lookahead_now = where(mod(t, lookahead_every) == 0, 1, 0)
            lookahead_way = lookahead_part*(theta - lookahead_slow)
            lookahead_slow = lookahead_slow + lookahead_now*lookahead_way
            theta = where(lookahead_now > 0, lookahead_slow, theta)
        """,
        source="""M. R. Zhang, J. Lucas, G. Hinton, J. Ba, 2019, Algorithm 1, Lookahead Optimizer: k
            steps forward, 1 step back, https://arxiv.org/abs/1907.08610""",
        note="""The paper's formula for any rule, whose own state goes on, as in optax.lookahead;
            theta are its fast weights, which equal the slow ones at each return.""",
    ),
    Entry(
        "averaging", "suffix", lr=0.01,
        title="Averaging returns the mean of all points in place of the last.",
        text="""
            averaged = averaged + (theta - averaged)/t
            report averaged
        """,
        source="""B. T. Polyak, A. B. Juditsky, 1992, Acceleration of stochastic approximation by
            averaging, https://doi.org/10.1137/0330046""",
        note="""The mean of the points after each step, the start left out. torch.optim.swa_utils
            averages by epochs; optax has an exponential mean (optax.ema).""",
    ),
    Entry(
        "plateau", "suffix", lr=0.01,
        defaults={"patience": 10.0, "factor": 0.1, "threshold": 1e-4, "least": 0.0},
        title="Plateau shortens the steps by a factor whenever the loss stops falling.",
        text="""
            plateau_scale0 = 1
            plateau_last0 = theta
            theta = plateau_last + plateau_scale*(theta - plateau_last)
            plateau_last = theta
            plateau_good = where(t == 1 or L < plateau_best*(1 - threshold), 1, 0)
            plateau_best = where(t == 1, L, min(plateau_best, L))
            plateau_bad = where(plateau_good > 0, 0, plateau_bad + 1)
            plateau_cut = where(plateau_bad > patience, factor, 1)
            plateau_bad = where(plateau_bad > patience, 0, plateau_bad)
            plateau_scale = max(plateau_scale*plateau_cut, least)
        """,
        source="""torch.optim.lr_scheduler.ReduceLROnPlateau, since 2017,
            https://docs.pytorch.org/docs/stable/optim.html; optax.contrib.reduce_on_plateau""",
        note="""torch's threshold_mode rel without cooldown, once per step. It scales the step: the
            same as scaling lr for rules whose step is lr times something.""",
    ),
)  # fmt: skip
