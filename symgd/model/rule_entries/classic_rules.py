"""Update rules from gradient descent to Adam and its first variants, in teaching order."""

from symgd.model.rule_entries.catalogue_entry import Entry

CLASSIC = (
    Entry(
        "gd", "rule", lr=0.01,
        title="Gradient descent steps against the gradient.",
        text="theta = theta - lr*g",
        source="""A. Cauchy, 1847, Méthode générale pour la résolution des systèmes d'équations
            simultanées, Comptes Rendus Acad. Sci. Paris 25, 536-538; described in C. Lemaréchal,
            2012, Cauchy and the Gradient Method,
            https://www.math.uni-bielefeld.de/documenta/vol-ismp/40_lemarechal-claude.pdf""",
        note="torch.optim.SGD and optax.sgd without momentum are the same formula.",
    ),
    Entry(
        "momentum", "rule", lr=0.01,
        defaults={"beta": 0.9},
        title="The heavy ball keeps part of its last velocity.",
        text="""
            v     = beta*v + g
            theta = theta - lr*v
        """,
        source="""B. T. Polyak, 1964, Some methods of speeding up the convergence of iteration
            methods, USSR Comput. Math. Math. Phys. 4(5), 1-17,
            https://doi.org/10.1016/0041-5553(64)90137-5""",
        note="""Follows torch.optim.SGD(momentum=beta), which optax.sgd equals: lr multiplies
            the whole velocity. Polyak, Sutskever et al. (2013, eq. 1-2) and Keras put lr
            inside, v = beta*v - lr*g: the same path while lr is constant, another one when lr
            changes with t.""",
    ),
    Entry(
        "nesterov", "rule", lr=0.01,
        defaults={"beta": 0.9},
        title="Nesterov's momentum takes the gradient where the velocity is about to lead.",
        text="""
            v     = beta*v + g
            theta = theta - lr*(g + beta*v)
        """,
        source="""Y. Nesterov, 1983, A method of solving a convex programming problem with
            convergence rate O(1/k^2), Soviet Math. Dokl. 27, 372-376; in this form I. Sutskever, J.
            Martens, G. Dahl, G. Hinton, 2013, eq. 3-4, On the importance of initialization and
            momentum in deep learning, https://proceedings.mlr.press/v28/sutskever13.html""",
        note="""Follows torch.optim.SGD(momentum=beta, nesterov=True), which
            optax.sgd(nesterov=True) equals. Their theta is the paper's look-ahead point (its theta
            plus beta times its velocity), so that the gradient is taken at theta itself; beta is
            constant here, while Nesterov's own grows with t.""",
    ),
    Entry(
        "adagrad", "rule", lr=0.01,
        defaults={"eps": 1e-10},
        title="Adagrad divides each step by the root of the sum of all squared gradients so far.",
        text="""
            v     = v + g**2
            theta = theta - lr*g/(sqrt(v) + eps)
        """,
        source="""J. Duchi, E. Hazan, Y. Singer, 2011, Figure 1 (diagonal matrices), Adaptive
            Subgradient Methods for Online Learning and Stochastic Optimization, JMLR 12, 2121-2159,
            https://jmlr.org/papers/v12/duchi11a.html""",
        note="""Follows torch.optim.Adagrad: v starts at 0, eps stands outside the root.
            optax.adagrad starts v at 0.1 and puts its eps of 1e-7 inside the root; with both at 0
            they agree.""",
    ),
    Entry(
        "rmsprop", "rule", lr=0.01,
        defaults={"alpha": 0.99, "eps": 1e-8},
        title="RMSprop divides each step by the root of a running mean of squared gradients.",
        text="""
            v     = alpha*v + (1 - alpha)*g**2
            theta = theta - lr*g/(sqrt(v) + eps)
        """,
        source="""T. Tieleman, G. Hinton, 2012, lecture 6e, Divide the gradient by a running average
            of its recent magnitude, COURSERA: Neural Networks for Machine Learning,
            https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf""",
        note="""Follows torch.optim.RMSprop, with eps outside the root and alpha = 0.99; the lecture
            has 0.9 and no eps. optax.rmsprop calls alpha decay (0.9) and puts eps inside the root,
            unless eps_in_sqrt=False. Keras calls it rho.""",
    ),
    Entry(
        "adadelta", "rule", lr=1.0,
        defaults={"rho": 0.9, "eps": 1e-6},
        title="Adadelta scales the gradient by the ratio of recent steps to recent gradients.",
        text="""
            v     = rho*v + (1 - rho)*g**2
            d     = sqrt(u + eps)/sqrt(v + eps)*g
            u     = rho*u + (1 - rho)*d**2
            theta = theta - lr*d
        """,
        source="""M. D. Zeiler, 2012, Algorithm 1, ADADELTA: An Adaptive Learning Rate Method,
            https://arxiv.org/abs/1212.5701""",
        note="torch.optim.Adadelta, optax.adadelta and the paper (which has no lr: it is 1) agree.",
    ),
    Entry(
        "adam", "rule", lr=0.001,
        defaults={"beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
        title="""Adam divides a running mean of gradients by the root of that of their squares, both
            unbiased.""",
        text="""
            m     = beta1*m + (1 - beta1)*g
            v     = beta2*v + (1 - beta2)*g**2
            theta = theta - lr*(m/(1 - beta1**t)) / (sqrt(v/(1 - beta2**t)) + eps)
        """,
        source="""D. P. Kingma, J. Ba, 2015, Algorithm 1, Adam: A Method for Stochastic
            Optimization, https://arxiv.org/abs/1412.6980""",
        note="""torch.optim.Adam, optax.adam and the paper's Algorithm 1 agree, up to rounding
            (torch corrects sqrt(v) instead of v). Keras follows the shortcut at the end of the
            paper's section 2, where eps is added before the bias is corrected.""",
    ),
    Entry(
        "adamw", "rule", lr=0.001,
        defaults={"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01},
        title="AdamW is Adam with weight decay outside of the adaptive part.",
        text="""
            m     = beta1*m + (1 - beta1)*g
            v     = beta2*v + (1 - beta2)*g**2
            d     = (m/(1 - beta1**t)) / (sqrt(v/(1 - beta2**t)) + eps)
            theta = theta - lr*(d + weight_decay*theta)
        """,
        source="""I. Loshchilov, F. Hutter, 2019, Algorithm 2, Decoupled Weight Decay
            Regularization, https://arxiv.org/abs/1711.05101""",
        note="""Follows torch.optim.AdamW. optax.adamw is the same formula with weight_decay 1e-4.
            In the paper the decay is multiplied by a schedule only, not by the learning rate as it
            is in both libraries.""",
    ),
    Entry(
        "amsgrad", "rule", lr=0.001,
        defaults={"beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
        title="AMSGrad is Adam with the largest second moment so far.",
        text="""
            m     = beta1*m + (1 - beta1)*g
            v     = beta2*v + (1 - beta2)*g**2
            v_max = max(v_max, v)
            theta = theta - lr*(m/(1 - beta1**t)) / (sqrt(v_max/(1 - beta2**t)) + eps)
        """,
        source="""S. J. Reddi, S. Kale, S. Kumar, 2018, Algorithm 2, On the Convergence of Adam and
            Beyond, https://openreview.net/forum?id=ryQu7f-RZ""",
        note="""Follows torch.optim.Adam(amsgrad=True): the maximum is taken of v, its bias is
            corrected after. optax.amsgrad takes the maximum of the corrected v, another path in the
            first steps; the paper corrects neither moment and has no eps.""",
    ),
    Entry(
        "adamax", "rule", lr=0.002,
        defaults={"beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
        title="Adamax is Adam with a decaying maximum of |g| in place of the second moment.",
        text="""
            m     = beta1*m + (1 - beta1)*g
            u     = max(beta2*u, abs(g) + eps)
            theta = theta - lr*(m/(1 - beta1**t)) / u
        """,
        source="""D. P. Kingma, J. Ba, 2015, Algorithm 2, Adam: A Method for Stochastic
            Optimization, https://arxiv.org/abs/1412.6980""",
        note="torch.optim.Adamax and optax.adamax agree; the paper has no eps.",
    ),
    Entry(
        "nadam", "rule", lr=0.002,
        defaults={"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "momentum_decay": 0.004},
        title="NAdam is Adam with Nesterov's momentum, which grows over the first steps.",
        text="""
            m       = beta1*m + (1 - beta1)*g
            v       = beta2*v + (1 - beta2)*g**2
            mu      = beta1*(1 - 0.5*0.96**(t*momentum_decay))
            mu_next = beta1*(1 - 0.5*0.96**((t + 1)*momentum_decay))
            mu_prod = where(t == 1, mu, mu_prod*mu)
            d       = (1 - mu)*g/(1 - mu_prod) + mu_next*m/(1 - mu_prod*mu_next)
            theta   = theta - lr*d / (sqrt(v/(1 - beta2**t)) + eps)
        """,
        source="""T. Dozat, 2016, Algorithm 2, Incorporating Nesterov Momentum into Adam,
            https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ""",
        note="""Follows torch.optim.NAdam. optax.nadam keeps the momentum at beta1, which is this
            rule with a very large momentum_decay; the paper further multiplies the corrected v by
            beta2, which neither does.""",
    ),
    Entry(
        "radam", "rule", lr=0.001,
        defaults={"beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
        title="RAdam is Adam that waits until its second moment can be trusted, and then warms up.",
        text="""
            m       = beta1*m + (1 - beta1)*g
            v       = beta2*v + (1 - beta2)*g**2
            rho_inf = 2/(1 - beta2) - 1
            rho_t   = rho_inf - 2*t*beta2**t/(1 - beta2**t)
            num     = (rho_t - 4)*(rho_t - 2)*rho_inf
            den     = (rho_inf - 4)*(rho_inf - 2)*rho_t
            r2      = where(rho_t > 5, num/den, 0)
            d       = where(rho_t > 5, sqrt(r2*(1 - beta2**t))/(sqrt(v) + eps), 1)
            theta   = theta - lr*(m/(1 - beta1**t))*d
        """,
        source="""L. Liu, H. Jiang, P. He, W. Chen, X. Liu, J. Gao, J. Han, 2020, Algorithm 2,
            On the Variance of the Adaptive Learning Rate and Beyond,
            https://arxiv.org/abs/1908.03265""",
        note="""Follows torch.optim.RAdam: adaptive from rho_t > 5 on (the paper: > 4; optax.radam:
            >= 5), eps added to sqrt(v) before its bias is corrected (optax: after; the paper has
            none). rho_t is a difference of nearly equal numbers: a beta2**t that is off by one unit
            in the last place moves the first adaptive step by 1e-11 of it.""",
    ),
    Entry(
        "lion", "rule", lr=0.0001,
        defaults={"beta1": 0.9, "beta2": 0.99, "weight_decay": 0.001},
        title="Lion steps by the sign of a mix of its momentum and the gradient.",
        text="""
            d     = sign(beta1*m + (1 - beta1)*g)
            m     = beta2*m + (1 - beta2)*g
            theta = theta - lr*(d + weight_decay*theta)
        """,
        source="""X. Chen, C. Liang, D. Huang, et al., 2023, Algorithm 2, Symbolic Discovery of
            Optimization Algorithms, https://arxiv.org/abs/2302.06675""",
        note="""Follows optax.lion (torch.optim has none), which is the paper's Algorithm 2;
            weight_decay is decoupled, as in adamw.""",
    ),
    Entry(
        "signsgd", "rule", lr=0.001,
        title="Sign descent moves every parameter by lr, whatever the size of its gradient.",
        text="theta = theta - lr*sign(g)",
        source="""J. Bernstein, Y.-X. Wang, K. Azizzadenesheli, A. Anandkumar, 2018, Algorithm 1,
            signSGD: Compressed Optimisation for Non-Convex Problems,
            https://arxiv.org/abs/1802.04434""",
        note="Follows optax.sign_sgd (torch.optim has none): sign(0) is 0.",
    ),
    Entry(
        "rprop", "rule", lr=0.01,
        defaults={"eta_minus": 0.5, "eta_plus": 1.2, "min_step_size": 1e-6, "max_step_size": 50.0},
        title="Rprop grows a step of its own for each parameter until its gradient changes sign.",
        text="""
            turn   = g*g_prev
            s      = where(t == 1, lr, s)
            s      = s*where(turn > 0, eta_plus, where(turn < 0, eta_minus, 1))
            s      = clip(s, min_step_size, max_step_size)
            g_prev = where(turn < 0, 0, g)
            theta  = theta - s*sign(g_prev)
        """,
        source="""M. Riedmiller, H. Braun, 1993, A direct adaptive method for faster
            backpropagation learning: the RPROP algorithm,
            https://doi.org/10.1109/ICNN.1993.298623; this variant, iRprop-: C. Igel, M. Hüsken,
            2003, Empirical evaluation of the improved Rprop learning algorithms, Neurocomputing
            50, 105-123, https://doi.org/10.1016/S0925-2312(01)00700-7""",
        note="""Follows torch.optim.Rprop, which is iRprop-: at a change of sign the parameter waits
            one step, while in the paper of 1993 it takes its last step back. optax.rprop applies
            each step one step late (seen in optax 0.2.8). lr is the first step only; a later lr is
            not read. torch has etas = (eta_minus, eta_plus), step_sizes = (min_step_size,
            max_step_size).""",
    ),
)  # fmt: skip
