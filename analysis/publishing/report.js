"use strict";
for (const plot of document.querySelectorAll(".plot")) {
  const drawn = JSON.parse(document.getElementById(plot.dataset.from).textContent);
  Plotly.newPlot(plot, {...drawn, config: {displaylogo: false, responsive: true, modeBarButtonsToRemove: %BUTTONS%,
                                           toImageButtonOptions: {format: "svg"}}});
}
const PRINT_PX = 690;
addEventListener("beforeprint", () => {
  for (const plot of document.querySelectorAll(".plot")) Plotly.relayout(plot, {width: PRINT_PX});
});
addEventListener("afterprint", () => {
  for (const plot of document.querySelectorAll(".plot")) Plotly.relayout(plot, {width: null, autosize: true});
});
