// Formulas arrive as \( .. \) and \[ .. \] from pymdownx.arithmatex; everything else on a page is left alone.
window.MathJax = {
  tex: {inlineMath: [["\\(", "\\)"]], displayMath: [["\\[", "\\]"]]},
  options: {ignoreHtmlClass: ".*|", processHtmlClass: "arithmatex"},
};
