// Package delivery is what a client can do with one destination: subscribe,
// get, ack and roll back. It joins the store, which knows items and sequences,
// with meta, which knows subscriptions and cursors, and keeps the batches that
// have been handed out and not yet confirmed. Canal does this in
// CanalServerWithEmbedded and its meta managers.
//
// Desk is the central type. It knows nothing of connections and frames
// (package server) nor of where items come from (package instance).
//
// # Where it differs from Canal on purpose
//
//   - Rolling back one batch takes back that batch and all later ones. In Canal
//     the later ones stay ackable although the ring has been rewound over them,
//     and acking one loses what the rolled-back batch held.
//   - An ack changes cursor, batch and ring together, or nothing. In Canal the
//     batch is gone and the cursor has moved when the ring refuses.
//   - A blocked get holds no lock: acks, rollbacks and other gets go on.
//   - A get whose client has gone creates no batch.
//   - A fetch size of 0 or less means the default; Canal fails or returns one entry.
//   - A filter that cannot be compiled is refused before the subscription is
//     changed; Canal stores it first and then cannot start the instance again.
//
// # Several clients of one destination
//
// All client ids of a destination share one ring and one get cursor, as in
// Canal: what one gets another does not see. Two things are safer here. The ring
// is freed up to the oldest batch that any subscribed client has outstanding, so
// one client's ack cannot free what another still works on. And since a rollback
// rewinds the ring for all, it takes the outstanding batches of all clients
// back; an ack of one of them is then refused, not applied to something else.
package delivery
