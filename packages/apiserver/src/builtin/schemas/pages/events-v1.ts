// The types of events/v1: a page of data in the notation of ../notation.ts.
// Source: the OpenAPI document and the generated.proto of Kubernetes 1.36.
import type { TypePage } from '../notation.ts';

export const eventsV1: TypePage = {
  prefix: 'io.k8s.api.events.v1',
  types: {
    Event: {
      '': 'object events.k8s.io/v1',
      action: '6 string',
      deprecatedCount: '15 int32',
      deprecatedFirstTimestamp: '13 time',
      deprecatedLastTimestamp: '14 time',
      deprecatedSource: '12 core.v1.EventSource',
      eventTime: '2 microtime required',
      metadata: '1 meta.v1.ObjectMeta',
      note: '10 string',
      reason: '7 string',
      regarding: '8 core.v1.ObjectReference',
      related: '9 core.v1.ObjectReference',
      reportingController: '4 string',
      reportingInstance: '5 string',
      series: '3 EventSeries',
      type: '11 string',
    },
    EventSeries: {
      count: '1 int32 required',
      lastObservedTime: '2 microtime required',
    },
  },
};
