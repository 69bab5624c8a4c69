"""Draw when devices compute, and when their next images arrive."""

import matplotlib

matplotlib.use('Agg')

import matplotlib.pyplot as plt  # noqa: E402 (the backend must be chosen first)

# What a call computes: name, colour.
STEPS = {
    'G_train': ('G', '#1f5a94'), 'G_reg': ('G regularization', '#7ba7d0'),
    'data_put': ('images on their way, nothing computes', '#c0392b'),
    'data_fetch': ('average, conversion of images', '#999999'),
    'D_train': ('D', '#d0882c'), 'D_reg': ('D regularization', '#ecc98f'),
}


def write(runs, path):
    """Write a PNG of {way: [Call]}, one panel for each way. The time between calls, most of which tracing
    takes, is left out."""
    figure, panels = plt.subplots(len(runs), 1, figsize=(11, 5.5), layout='constrained', sharex=True)
    for panel, (way, calls) in zip(panels, runs.items(), strict=True):
        _draw(panel, calls)
        panel.set_title(f'Images are brought to the devices {way}', fontsize=10, loc='left')
    panels[-1].set_xlabel('milliseconds inside session calls')
    handles = {label: handle for panel in panels
               for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles, loc='outside lower center', ncols=4, frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw(panel, calls):
    devices = calls[0].devices
    done = 0.0
    for call in calls:
        name, color = STEPS[call.step]
        start = call.begin - done
        done += call.end - call.begin
        panel.axvline(done * 1e3, color='#dddddd', linewidth=0.8)
        for lane, device in enumerate(devices):
            busy = call.busy(device)
            arrival = call.arrival(device)
            if call.step == 'data_put':
                busy = [(call.begin, arrival)]
            bars = [((begin - start) * 1e3, (end - begin) * 1e3) for begin, end in busy]
            panel.broken_barh(bars, (lane - 0.4, 0.8), color=color, linewidth=0, label=name)
            if arrival is not None:
                panel.plot((arrival - start) * 1e3, lane, marker='v', color='black', markersize=6,
                           linestyle='', label='next images have arrived')
    panel.set_yticks(range(len(devices)), devices)
    panel.invert_yaxis()
    panel.spines[['top', 'right']].set_visible(False)
