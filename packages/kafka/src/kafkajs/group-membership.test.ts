import { expect, test } from "vitest";
import { manualClock } from "@bus/testkit";
import { turn } from "../../test/fake-records.ts";
import { GroupMembership, offsetsByTopic } from "./group-membership.ts";

interface FakeCoordinator {
  readonly isConnected: () => boolean;
  readonly connectionPool: { readonly host: string; readonly port: number };
  joinGroup(request: object): Promise<{ memberId: string; generationId: number }>;
  heartbeat(request: object): Promise<void>;
  leaveGroup(request: object): Promise<unknown>;
  offsetCommit(request: object): Promise<void>;
}

interface FakeCluster {
  findGroupCoordinator(group: { groupId: string }): Promise<FakeCoordinator>;
}

const EXPELLED = Object.assign(new Error("The coordinator is not aware of this member"), {
  name: "KafkaJSProtocolError",
  code: 25,
});

function lab() {
  const clock = manualClock();
  const requests: object[] = [];
  const state = {
    refusal: undefined as Error | undefined,
    expelled: 0,
    drain: (): Promise<void> => Promise.resolve(),
  };
  const answer = async <TAnswer>(request: object, result: TAnswer): Promise<TAnswer> => {
    requests.push(request);
    if (state.refusal !== undefined) throw state.refusal;
    return result;
  };
  const membership = new GroupMembership({
    group: "g",
    clock,
    heartbeatIntervalMs: 100,
    beforeJoin: () => state.drain(),
    onExpelled: () => void (state.expelled += 1),
  });
  const newCluster = (): FakeCluster => {
    const coordinator: FakeCoordinator = {
      isConnected: () => true,
      connectionPool: { host: "broker", port: 9092 },
      joinGroup: (request) => answer({ join: request }, { memberId: "member-1", generationId: 7 }),
      heartbeat: (request) => answer({ heartbeat: request }, undefined),
      leaveGroup: (request) => answer({ leave: request }, "left"),
      offsetCommit: (request) => answer({ commit: request }, undefined),
    };
    const cluster: FakeCluster = { findGroupCoordinator: () => Promise.resolve(coordinator) };
    membership.attach(cluster as never); // the part of a cluster that a membership uses
    return cluster;
  };
  const join = async (cluster: FakeCluster): Promise<FakeCoordinator> => {
    const coordinator = await cluster.findGroupCoordinator({ groupId: "g" });
    await coordinator.joinGroup({ memberId: "" });
    return coordinator;
  };
  return { membership, clock, requests, state, newCluster, join };
}

test("a rebuilt consumer comes back as the member that it was", async () => {
  const { membership, requests, newCluster, join } = lab();
  expect(membership.isMember).toBe(false);
  await join(newCluster());
  expect(membership.isMember).toBe(true);
  await join(newCluster());
  expect(requests).toEqual([{ join: { memberId: "" } }, { join: { memberId: "member-1" } }]);
});

test("a join waits until the owner has drained, and the coordinator hears of us meanwhile", async () => {
  const { state, requests, newCluster, join, clock } = lab();
  const cluster = newCluster();
  await join(cluster);
  let drained = (): void => undefined;
  state.drain = () => new Promise((resolve) => (drained = resolve));
  const joining = join(cluster);
  await clock.advanceAsync(250);
  expect(requests.slice(1)).toEqual([
    { heartbeat: { groupId: "g", memberId: "member-1", groupGenerationId: 7 } },
    { heartbeat: { groupId: "g", memberId: "member-1", groupGenerationId: 7 } },
  ]);
  drained();
  await joining;
  expect(requests.at(-1)).toEqual({ join: { memberId: "member-1" } });
  await clock.advanceAsync(1_000);
  expect(requests).toHaveLength(4);
});

test("the group is left only when that is wanted", async () => {
  const { membership, requests, newCluster, join } = lab();
  const coordinator = await join(newCluster());
  await expect(coordinator.leaveGroup({})).resolves.toBeUndefined();
  expect(requests).toHaveLength(1);
  membership.leave();
  await expect(coordinator.leaveGroup({})).resolves.toBe("left");
});

test("commits go out as the member of the last generation, also between two lives of the consumer", async () => {
  const { membership, requests, newCluster, join } = lab();
  await expect(membership.commit([])).rejects.toMatchObject({ code: "BUS_FENCED" });
  await join(newCluster());
  newCluster();
  await membership.commit([{ topic: "t", partition: 0, offset: 5n }]);
  expect(requests.at(-1)).toEqual({
    commit: {
      groupId: "g",
      memberId: "member-1",
      groupGenerationId: 7,
      topics: [{ topic: "t", partitions: [{ partition: 0, offset: "5" }] }],
    },
  });
});

test("the address of the coordinator outlasts a commit that failed, so that it can be left aside", async () => {
  const { membership, state, newCluster, join } = lab();
  expect(membership.coordinatorAddress).toBeUndefined();
  await join(newCluster());
  state.refusal = new Error("no answer");
  await expect(membership.commit([{ topic: "t", partition: 0, offset: 5n }])).rejects.toMatchObject(
    { isBusError: true },
  );
  expect(membership.coordinatorAddress).toBe("broker:9092");
});

test("a group that does not know us has given away what we owned, which is told once", async () => {
  const { membership, state, newCluster, join } = lab();
  const coordinator = await join(newCluster());
  state.refusal = EXPELLED;
  await expect(coordinator.heartbeat({})).rejects.toBe(EXPELLED);
  await expect(coordinator.heartbeat({})).rejects.toBe(EXPELLED);
  await turn();
  expect([state.expelled, membership.isMember]).toEqual([1, false]);
  await expect(membership.commit([])).rejects.toMatchObject({ code: "BUS_FENCED" });
});

test("positions are sent by topic", () => {
  const positions = [
    { topic: "a", partition: 0, offset: 1n },
    { topic: "b", partition: 0, offset: 2n },
    { topic: "a", partition: 1, offset: 3n },
  ];
  expect(offsetsByTopic(positions)).toEqual([
    {
      topic: "a",
      partitions: [
        { partition: 0, offset: "1" },
        { partition: 1, offset: "3" },
      ],
    },
    { topic: "b", partitions: [{ partition: 0, offset: "2" }] },
  ]);
});
