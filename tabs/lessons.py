"""Short explanations beside the calibration, each with its formula, each readable in a minute."""

FLOOR = r"""**What a runtime's floor is.** Every call costs something before the first pixel is looked at: checking the
input, starting threads, going through 270 layers. Latency is about $t(r) = a + b\,r^2$, where $a$ is that floor and
$b\,r^2$ the work, which grows with the *area*. If $a$ alone is above the target, no resolution can reach it. Keras
`predict` has a floor of many tens of milliseconds on small CPUs; OpenVINO has one of one or two."""

POLYNOMIAL = r"""**Why the polynomial swings between 224 and 299.** The paper puts $P(r)=\sum_i y_i\,\ell_i(r)$, with
$\ell_i(r)=\prod_{j\ne i}\frac{r-r_j}{r_i-r_j}$, through ten points: a polynomial of degree 9. It passes through every
point *exactly*, noise included, and pays for it in between. An error of 1 ms in the points becomes up to
$\Lambda=\max_r\sum_i|\ell_i(r)|$ ms: the Lebesgue constant, 6,202 for the paper's ten sizes, because they crowd at
the low end and leave a gap from 224 to 299."""

EXTRAPOLATION = r"""**Why 302 px was an extrapolation.** The largest size that the paper measured is 299 px; its answer
for B0, 302 px, lies outside. There a polynomial of degree 9 follows its highest power, $r^9$, and an error of 1 ms in
the points becomes about 1,400 ms. Its other answer, 94 px for S, lies where the same polynomial is at its best."""

NOISE = """**Lesson: shake the points.** Real measurements are never exact. Move the slider: every point is multiplied
by random noise of that size, the same noise for all curves. Which answers hold still?"""
