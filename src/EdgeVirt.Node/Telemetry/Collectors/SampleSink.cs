using EdgeVirt.Contracts.Protos;

namespace EdgeVirt.Node.Telemetry;

/// <summary>Adds what one part of the node knows to the samples of a collection. Called once per telemetry interval.</summary>
internal delegate void ReadSamples(SampleSink sink);

/// <summary>Takes the samples of one collection.</summary>
internal sealed class SampleSink(TelemetryRecord record)
{
    public void Add(string metric, double value)
    {
        if (double.IsFinite(value))
        {
            record.Samples.Add(new Sample { Metric = metric, Value = value });
        }
    }

    public void Add(string metric, double value, string key, string attribute)
    {
        if (double.IsFinite(value))
        {
            record.Samples.Add(new Sample { Metric = metric, Value = value, Attributes = { { key, attribute } } });
        }
    }

    public void Add(string metric, double value, string key1, string attribute1, string key2, string attribute2)
    {
        if (double.IsFinite(value))
        {
            record.Samples.Add(new Sample { Metric = metric, Value = value, Attributes = { { key1, attribute1 }, { key2, attribute2 } } });
        }
    }
}
