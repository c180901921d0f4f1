// Labels that do not overlap, chosen anew when the view has come to rest: marked points first, then in order.
clearTimeout(window.labels_to_choose);
window.labels_to_choose = setTimeout(() => {
  const width = plot.inner_width, height = plot.inner_height;
  const x0 = plot.x_range.start, x1 = plot.x_range.end, y0 = plot.y_range.start, y1 = plot.y_range.end;
  if (!width || !height) { return; }
  const context = document.createElement("canvas").getContext("2d");
  const most = 400;
  const points = [];
  for (let c = 0; c < sources.length; c++) {
    const data = sources[c].data;
    for (let i = 0; i < data.x.length; i++) {
      const px = (data.x[i] - x0) / (x1 - x0) * width, py = (y1 - data.y[i]) / (y1 - y0) * height;
      const is_seen = renderers[c].visible && px >= 0 && px <= width && py >= 0 && py <= height;
      points.push({c, i, px, py, is_seen, rank: data.rank[i], marked: data.marked[i], radius: data.size[i] / 2});
    }
  }
  const seen = points.filter(point => point.is_seen).sort((a, b) => (b.marked - a.marked) || (a.rank - b.rank));
  // boxes by cells of a grid, so that each is compared with what is near it
  const cell = 40, grid = new Map();
  const cells = box => {
    const keys = [];
    for (let a = Math.floor(box.l / cell); a <= Math.floor(box.r / cell); a++)
      for (let b = Math.floor(box.t / cell); b <= Math.floor(box.b / cell); b++) keys.push(a * 100003 + b);
    return keys;
  };
  const add = box => cells(box).forEach(key => grid.has(key) ? grid.get(key).push(box) : grid.set(key, [box]));
  const is_free = (box, over_points) => cells(box).every(key => (grid.get(key) || []).every(
    other => (over_points && other.is_point)
      || box.l >= other.r || box.r <= other.l || box.t >= other.b || box.b <= other.t));
  for (const p of seen)
    add({l: p.px - p.radius, r: p.px + p.radius, t: p.py - p.radius, b: p.py + p.radius, is_point: true});
  const sides = [[1, 0], [-1, 0], [0, -1], [0, 1], [1, -1], [-1, -1], [1, 1], [-1, 1]];
  const texts = sources.map(source => source.data.label.map(() => ""));
  const dx = sources.map(source => source.data.label.map(() => 0)), dy = dx.map(values => values.slice());
  let placed = 0;
  for (const p of seen) {
    if (placed >= most) { break; }
    const label = sources[p.c].data.label[p.i];
    if (!label) { continue; }
    context.font = (p.marked ? "bold 14px " : "12px ") + font;
    const w = context.measureText(label).width + 2, h = p.marked ? 17 : 14;
    // a marked point is named even if its name hides others
    const tries = sides.map(side => [...side, false]).concat(p.marked ? sides.map(side => [...side, true]) : []);
    for (const [a, b, over_points] of tries) {
      const mx = p.px + a * (w / 2 + p.radius + 1), my = p.py + b * (h / 2 + p.radius + 1);
      const box = {l: mx - w / 2, r: mx + w / 2, t: my - h / 2, b: my + h / 2};
      if (box.l < 0 || box.r > width || box.t < 0 || box.b > height || !is_free(box, over_points)) { continue; }
      add(box);
      texts[p.c][p.i] = label;
      dx[p.c][p.i] = mx - p.px;
      dy[p.c][p.i] = my - p.py;
      placed++;
      break;
    }
  }
  sources.forEach((source, c) => { source.data = {...source.data, text: texts[c], dx: dx[c], dy: dy[c]}; });
}, 40);
