"""Names of functions in other languages, and of letters in other rules -> what to write here."""

from __future__ import annotations

from symgd import names


def _table(text: str) -> dict[str, str]:
    """Lines `name name ...: what to write` as a dictionary by name."""
    rows = [line.split(": ", 1) for line in text.strip().splitlines()]
    return {name: hint for named, hint in rows for name in named.split()}


FUNCTIONS = _table("""
dot inner vdot: write dot(w, x) of arrays w[j], x[j], or x1*y1 + x2*y2; over the rows of data, sum(x*y)
matmul: write matmul(A, b)[i] of arrays A[i,j], b[j]
prod product: write prod(x[i], i=1..n), or the factors joined by *
norm norm2 dist distance: write norm(x[i], i=1..n), hypot(x, y), or |x|
norm1 l1: write |x| + |y|
softmax: write softmax(z)[k] of an array z[k], or exp(x)/(exp(x) + exp(y)): it does not overflow
log_softmax logsoftmax: write x - logsumexp(x, y)
logaddexp2: write logsumexp(x, y)
argmax argmin: it has no slope; max(x, y) and min(x, y) have
factorial fact: write gamma(x + 1)
binom comb choose nCr: write gamma(n + 1)/(gamma(k + 1)*gamma(n - k + 1))
sgn signum: write sign(x)
tg: write tan(x)
ctg cotan cotg: write cot(x)
arctg: write atan(x)
sh: write sinh(x)
ch: write cosh(x)
th: write tanh(x)
arsinh: write asinh(x)
arcosh: write acosh(x)
artanh: write atanh(x)
lg: write log10(x)
lb ld: write log2(x)
logn logb: write log(x)/log(b)
exp2: write 2^x
exp10: write 10^x
sqr sq squared: write x^2
cube cubed: write x^3
root nthroot: write x^(1/n)
reciprocal: write 1/x
neg negative: write -x
add plus: write x + y
subtract sub minus: write x - y
multiply mul times: write x*y
divide div true_divide: write x/y
remainder rem modulo: write mod(x, y)
round rint: write floor(x + 0.5)
trunc fix int: write where(x < 0, ceil(x), floor(x))
frac: write x - floor(x)
radians deg2rad: write x*pi/180
degrees rad2deg: write x*180/pi
IF If iif iff ifelse if_else select cond ternary piecewise Piecewise: write where(condition, a, b)
sigma sigm logistic: write sigmoid(x); for a product, a*(...)
Phi normcdf norm_cdf cdf pnorm: write ndtr(x)
phi normpdf norm_pdf pdf dnorm: write exp(-x^2/2)/sqrt(2*pi); for a product, a*(...)
ReLU positive_part: write relu(x)
relu6 ReLU6: write min(max(x, 0), 6)
gelu GELU: write x*ndtr(x)
silu SiLU swish: write x*sigmoid(x)
mish: write x*tanh(softplus(x))
leaky_relu leakyrelu LeakyReLU: write max(x, 0.01*x)
elu ELU: write where(x > 0, x, expm1(x))
hinge: write max(0, 1 - y*x)
smooth_l1 smoothl1: write huber(x)
mse mse_loss mean_squared_error: write mean((y - f)^2) over the rows of data
rmse: write sqrt(mean((y - f)^2)) over the rows of data
mae l1_loss mean_absolute_error: write mean(|y - f|) over the rows of data
bce cross_entropy crossentropy log_loss logloss nll: write mean(-y*log(p) - (1 - y)*log(1 - p)) over the rows of data
average avg: write mean(...) over the rows of data
Sum reduce_sum: write sum(x[i], i=1..n), or sum(...) over the rows of data
var variance: write mean((x - mean(x))^2) over the rows of data
std stdev: write sqrt(mean((x - mean(x))^2)) over the rows of data
grad gradient diff derivative: a loss is differentiated for you; in a rule the gradient is g
random rand randn normal uniform: a loss is not random: the same parameters have the same value
real re conj: all numbers are real: leave it out
""")  # noqa: E501 - one row, one line

#: Names of papers and other libraries -> what a rule calls them.
RULE_LETTERS = _table("""
grad gradient grads dx dw dL dtheta g_t nabla: the gradient is g
eta learning_rate step_size stepsize rate lr_t: the learning rate is lr
k i iter iteration step steps epoch T: the number of the step is t
x w p W params param weights weight theta_t: the parameter is theta
loss f J cost fx: the loss at theta is L, at another point loss(point)
H hess hessian: the Hessian times v is hvp(v)
start x0 theta_0: the start is theta0
N steps_total n_steps: the planned number of steps is n
""")


#: (function, number of arguments) -> what to write in place of a call with so many.
_CALLS = {("log", 2): "write log(x)/log(b), log2(x) or log10(x)", ("atan", 2): "write atan2(y, x)"}


def call_meaning(name: str, count: int) -> str:
    """What to write in place of a call with so many arguments, or ""."""
    return _CALLS.get((name, count), "")


def function_meaning(name: str) -> str:
    """What to write in place of a function of another language, or ""."""
    return FUNCTIONS.get(name, "")


def function_hint(name: str, known: list[str]) -> str:
    """What to call in place of a function that does not exist: by meaning, else by spelling."""
    product = (
        f"to multiply, write {names.escape(name)}*(...); `symgd functions` lists the functions"
    )
    near = names.suggest(name, known, 0.7) if len(name) > 2 else ""
    return function_meaning(name) or near or product
