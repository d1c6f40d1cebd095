// A dashboard drawn by Grafana's own components from answers of a real Prometheus. It reads `window.PREVIEW`:
// {dashboard, answers: {panel id: [[{labels, values: [[seconds, value], …]}, …], …]}, marks, from, to, theme}.
// What Grafana's server and plugins do (queries, merging of tables, layout) is done here, plainly.
import React from 'react';
import { createRoot } from 'react-dom/client';
import {
  FieldType,
  ThemeContext,
  applyFieldOverrides,
  createTheme,
  dateTime,
  standardFieldConfigEditorRegistry,
  toDataFrame,
} from '@grafana/data';
import { BarGauge, BigValue, GlobalStyles, PanelChrome, Table, TimeSeries } from '@grafana/ui';
import 'uplot/dist/uPlot.min.css';

const { dashboard, answers, marks, from, to, theme: mode, choices } = window.PREVIEW;
const theme = createTheme({ colors: { mode } });
const WIDTH = window.innerWidth;
const GAP = 8;
const ROW = 30;
const COLUMN = (WIDTH - GAP) / 24;

// The fields of a panel's configuration that overrides may name; Grafana registers them at its start.
const plain = (id, path = id) => ({
  id,
  path,
  name: id,
  editor: () => null,
  override: () => null,
  process: (value) => value,
  shouldApply: () => true,
});
standardFieldConfigEditorRegistry.setInit(() =>
  ['unit', 'min', 'max', 'decimals', 'color', 'thresholds', 'mappings', 'links', 'displayName', 'noValue'].map((id) =>
    plain(id)
  )
);

const legendOf = (template, labels) => template.replace(/\{\{(\w+)\}\}/g, (_, name) => labels[name] ?? '');

function configured(frames, panel) {
  const found = applyFieldOverrides({
    data: frames,
    fieldConfig: { defaults: { ...panel.fieldConfig.defaults, custom: undefined }, overrides: withoutCustom(panel) },
    replaceVariables: (text) => text,
    theme,
    timeZone: 'utc',
  });
  for (const frame of found) {
    for (const field of frame.fields) {
      field.config.custom = { ...panel.fieldConfig.defaults.custom, ...customOf(panel, field.name) };
      // Grafana sets it before a panel is drawn.
      field.state = { ...field.state, displayName: undefined };
    }
  }
  return found;
}

const isCustom = (property) => property.id.startsWith('custom.');

function withoutCustom(panel) {
  return panel.fieldConfig.overrides.map((one) => ({
    ...one,
    properties: one.properties.filter((property) => !isCustom(property) && property.id !== 'links'),
  }));
}

function customOf(panel, name) {
  const found = {};
  for (const one of panel.fieldConfig.overrides) {
    if (one.matcher.options === name) {
      for (const property of one.properties.filter(isCustom)) {
        found[property.id.replace('custom.', '')] = property.value;
      }
    }
  }
  return found;
}

// One frame a series, as Grafana makes them of a range query.
function seriesOf(panel) {
  return panel.targets.flatMap((target, index) =>
    answers[panel.id][index].map(({ labels, values }) => {
      const name = legendOf(target.legendFormat, labels);
      const step = 60;
      const known = new Map(values);
      const times = [];
      for (let at = from; at <= to; at += step) {
        times.push(at);
      }
      return toDataFrame({
        refId: target.refId,
        fields: [
          { name: 'Time', type: FieldType.time, values: times.map((at) => at * 1000), config: { interval: step * 1000 } },
          // A gap is a gap: what was not told is not zero.
          {
            name: 'Value',
            type: FieldType.number,
            values: times.map((at) => known.get(at) ?? null),
            config: { displayNameFromDS: name },
          },
        ],
      });
    })
  );
}

// What the transformations merge, filterFieldsByName and organize make of the answers of instant queries.
function tableOf(panel) {
  const last = panel.transformations[panel.transformations.length - 1].options.renameByName;
  const labels = Object.keys(last).filter((name) => !name.startsWith('Value'));
  const many = panel.targets.length > 1;
  const common = answers[panel.id]
    .filter((answer) => answer.length)
    .map((answer) => new Set(answer.flatMap((one) => Object.keys(one.labels))))
    .reduce((one, other) => new Set([...one].filter((name) => other.has(name))));
  const rows = new Map();
  panel.targets.forEach((target, index) => {
    for (const one of answers[panel.id][index]) {
      const key = JSON.stringify([...common].sort().map((name) => one.labels[name] ?? ''));
      const row = rows.get(key) ?? {};
      rows.set(key, { ...row, ...one.labels, [many ? `Value #${target.refId}` : 'Value']: one.values[0][1] });
    }
  });
  const shown = [...rows.values()];
  // The last wish first: a later sort keeps the order of equals.
  for (const sort of [...panel.options.sortBy].reverse()) {
    const column = Object.keys(last).find((name) => last[name] === sort.displayName);
    const compare = (one, other) => (one[column] < other[column] ? -1 : one[column] > other[column] ? 1 : 0);
    shown.sort((one, other) => (sort.desc ? compare(other, one) : compare(one, other)));
  }
  return toDataFrame({
    fields: Object.entries(last).map(([name, heading]) => ({
      name: heading,
      type: labels.includes(name) ? FieldType.string : FieldType.number,
      values: shown.map((row) => row[name] ?? (labels.includes(name) ? '' : null)),
      config: labels.includes(name) ? { unit: 'string' } : {},
    })),
  });
}

function Nothing({ panel, width, height }) {
  const says = panel.fieldConfig.defaults.noValue ?? 'No data';
  const style = { width, height, display: 'flex', alignItems: 'center', justifyContent: 'center' };
  return <div style={{ ...style, color: theme.colors.text.secondary }}>{says}</div>;
}

function Lines({ panel, width, height }) {
  const frames = configured(seriesOf(panel), panel);
  const range = { from: dateTime(from * 1000), to: dateTime(to * 1000), raw: { from: 'now-2h', to: 'now' } };
  return (
    <TimeSeries
      frames={frames}
      structureRev={1}
      timeRange={range}
      timeZone="utc"
      width={width}
      height={height}
      legend={{ ...panel.options.legend, isVisible: true }}
      options={panel.options}
    >
      {(builder) => {
        // Grafana's core draws annotations, not this component: here they are lines.
        builder.addHook('draw', (u) => {
          u.ctx.save();
          for (const mark of marks.filter(({ at }) => at >= from && at <= to)) {
            const x = u.valToPos(mark.at * 1000, 'x', true);
            u.ctx.strokeStyle = theme.visualization.getColorByName(mark.colour);
            u.ctx.setLineDash([4, 4]);
            u.ctx.beginPath();
            u.ctx.moveTo(x, u.bbox.top);
            u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
            u.ctx.stroke();
          }
          u.ctx.restore();
        });
        return null;
      }}
    </TimeSeries>
  );
}

function shownValues(panel) {
  return configured(seriesOf(panel), panel).map((frame) => {
    const field = frame.fields[1];
    const title = field.config.displayNameFromDS;
    return { field, value: { ...field.display(answerOf(panel, frame.refId, title)), title } };
  });
}

function answerOf(panel, refId, title) {
  const index = panel.targets.findIndex((target) => target.refId === refId);
  const template = panel.targets[index].legendFormat;
  const found = answers[panel.id][index].find((one) => legendOf(template, one.labels) === title);
  return found.values[found.values.length - 1][1];
}

function Stat({ panel, width, height }) {
  const values = shownValues(panel);
  const { textMode, colorMode, graphMode, justifyMode } = panel.options;
  return (
    <div style={{ display: 'flex' }}>
      {values.map(({ value }) => (
        <BigValue
          key={value.title}
          value={value}
          width={width / values.length}
          height={height}
          theme={theme}
          textMode={textMode}
          colorMode={colorMode}
          graphMode={graphMode}
          justifyMode={justifyMode}
        />
      ))}
    </div>
  );
}

function Bars({ panel, width, height }) {
  const values = shownValues(panel);
  const { minVizHeight, maxVizHeight, displayMode, orientation, valueMode, showUnfilled } = panel.options;
  const each = Math.max(minVizHeight, Math.min(maxVizHeight, height / values.length - 6));
  const most = Math.max(...values.map(({ value }) => value.numeric));
  const widest = values.map(({ value }) => `${value.text}${value.suffix ?? ''}`).sort((a, b) => b.length - a.length)[0];
  return values.map(({ value, field }) => (
    <div key={value.title} style={{ marginBottom: 6 }}>
      <BarGauge
        value={value}
        field={{ ...field.config, min: 0, max: field.config.max ?? most }}
        display={field.display}
        theme={theme}
        width={width}
        height={each}
        displayMode={displayMode}
        orientation={orientation}
        valueDisplayMode={valueMode}
        showUnfilled={showUnfilled}
        alignmentFactors={{
          title: values.map((one) => one.value.title).sort((a, b) => b.length - a.length)[0],
          text: widest,
        }}
        lcdCellWidth={12}
        itemSpacing={6}
      />
    </div>
  ));
}

function Rows({ panel, width, height }) {
  const [frame] = configured([tableOf(panel)], panel);
  return <Table data={frame} width={width} height={height} ariaLabel={panel.title} />;
}

const LOOKS = { timeseries: Lines, stat: Stat, bargauge: Bars, table: Rows };

function Panel({ panel }) {
  const { x, y, w, h } = panel.gridPos;
  const width = w * COLUMN - GAP;
  const height = h * (ROW + GAP) - GAP;
  const style = { position: 'absolute', left: GAP + x * COLUMN, top: y * (ROW + GAP) };
  if (panel.type === 'row') {
    return <div style={{ ...style, lineHeight: `${ROW + 4}px`, fontWeight: 500 }}>⌄ {panel.title}</div>;
  }
  const Look = answers[panel.id].some((answer) => answer.length) ? LOOKS[panel.type] : Nothing;
  return (
    <div style={style}>
      <PanelChrome title={panel.title} width={width} height={height} padding={panel.type === 'table' ? 'none' : 'md'}>
        {(innerWidth, innerHeight) => <Look panel={panel} width={innerWidth} height={innerHeight} />}
      </PanelChrome>
    </div>
  );
}

class Safe extends React.Component {
  state = {};
  static getDerivedStateFromError(error) {
    return { error };
  }
  render() {
    return this.state.error ? <pre>{String(this.state.error.stack)}</pre> : this.props.children;
  }
}

const chip = { border: `1px solid ${theme.colors.border.medium}`, borderRadius: 2, padding: '2px 8px', marginRight: 8 };

createRoot(document.getElementById('root')).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <div style={{ padding: `10px ${GAP}px 6px` }}>
      <span style={{ fontSize: 16, fontWeight: 500, marginRight: 16 }}>{dashboard.title}</span>
      {choices.map(([label, value]) => (
        <span key={label} style={chip}>
          <span style={{ color: theme.colors.text.secondary }}>{label}</span> {value}
        </span>
      ))}
    </div>
    <div style={{ position: 'relative' }}>
      {dashboard.panels.map((panel) => (
        <Safe key={panel.id}>
          <Panel panel={panel} />
        </Safe>
      ))}
    </div>
  </ThemeContext.Provider>
);
