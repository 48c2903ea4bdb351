"""Hover synchronised over the charts of a page: figures that name the same axis in their `meta` share one line and show
what they have at the same place."""

from functools import cache
from typing import Any

import streamlit as st

JS = """
export default function () {
  if (window.explorerHoverSync) return
  window.explorerHoverSync = true
  const charts = () => [...document.querySelectorAll('.js-plotly-plot')].filter(c => c._fullLayout?.meta?.axis)
  const line = chart => {
    let found = chart.querySelector('.explorer-hover-line')
    if (!found) {
      found = document.createElement('div')
      found.className = 'explorer-hover-line'
      found.setAttribute('aria-hidden', 'true')
      found.style.cssText = 'position:absolute;width:1px;pointer-events:none;background:currentColor;opacity:.45'
      chart.style.position = 'relative'
      chart.appendChild(found)
    }
    return found
  }
  const hide = () => document.querySelectorAll('.explorer-hover-line').forEach(l => { l.style.display = 'none' })
  const place = (chart, share) => {
    const size = chart._fullLayout._size, drawn = line(chart)
    Object.assign(drawn.style, { display: 'block', left: `${size.l + share * size.w}px`, top: `${size.t}px`,
                                 height: `${size.h}px` })
  }
  const value = (axis, px) => axis.type === 'category' ? Math.round(axis.p2c(px)) : axis.p2c(px)
  const nearest = (chart, at) => {
    // The point of a line nearest along the axis, in the upper panel: where the label is shown.
    let best = null
    for (const trace of chart._fullData) {
      if (trace.visible !== true || trace.hoverinfo === 'skip' || (trace.xaxis || 'x') !== 'x' || !trace.x) continue
      const axis = chart._fullLayout.xaxis, up = chart._fullLayout[`yaxis${(trace.yaxis || 'y').slice(1)}`]
      for (let i = 0; i < trace.x.length; i++) {
        if (trace.x[i] === null || trace.y[i] === null || trace.y[i] === undefined) continue
        const away = Math.abs(axis.d2p(trace.x[i]) - at)
        if (!best || away < best.away) best = { away, x: axis.d2p(trace.x[i]), y: up.d2p(trace.y[i]), up }
      }
    }
    return best
  }
  let told = []
  document.addEventListener('mousemove', event => {
    if (event.explorerEcho) return
    const chart = event.target.closest?.('.js-plotly-plot')
    if (!chart?._fullLayout?.meta?.axis) { if (told.length) { hide(); leave() } return }
    const size = chart._fullLayout._size, box = chart.getBoundingClientRect()
    const px = event.clientX - box.left - size.l
    if (px < 0 || px > size.w) { hide(); leave(); return }
    place(chart, px / size.w)
    const at = value(chart._fullLayout.xaxis, px)
    const others = charts().filter(c => c !== chart && c._fullLayout.meta.axis === chart._fullLayout.meta.axis)
    told = [chart]
    for (const other of others) {
      const axis = other._fullLayout.xaxis, px2 = axis.c2p(at)
      if (px2 < 0 || px2 > other._fullLayout._size.w) { line(other).style.display = 'none'; continue }
      place(other, px2 / other._fullLayout._size.w)
      told.push(other)
      echo(other, px2)
    }
  }, true)
  const echo = (chart, px) => {
    const drag = chart.querySelector('.nsewdrag'), best = nearest(chart, px)
    if (!drag || !best) return
    const box = chart.getBoundingClientRect(), size = chart._fullLayout._size
    const echoed = new MouseEvent('mousemove', { bubbles: false, clientX: box.left + size.l + best.x,
                                                 clientY: box.top + best.up._offset + best.y })
    echoed.explorerEcho = true
    drag.dispatchEvent(echoed)
  }
  const leave = () => {
    for (const chart of told) chart.querySelector('.nsewdrag')?.dispatchEvent(new MouseEvent('mouseout'))
    told = []
  }
}
"""


@cache
def _component() -> Any:
    return st.components.v2.component("explorer_hover_sync", js=JS)


def draw() -> None:
    """Put the listener into the page, once."""
    _component()(key="hover sync", height=0)
