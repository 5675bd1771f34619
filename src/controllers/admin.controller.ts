import type { Request, Response } from 'express';
import { actorOf } from '../middleware/request.ts';
import {
  toAuditEventView,
  type ListEvents,
  type ListUsersQuery,
  type StatsView,
  type UpdateUser,
} from '../schemas/admin.schemas.ts';
import { toUserView } from '../schemas/auth.schemas.ts';
import { pageView } from '../schemas/common.ts';
import type { AdminService } from '../services/admin/index.ts';

const idOf = (req: Request): string => String(req.params.id);

/** The accounts of others over REST. */
export const createAdminController = (admin: AdminService) => ({
  listUsers: async (query: ListUsersQuery, _req: Request, res: Response) => {
    res.json(pageView(await admin.listUsers(query), toUserView));
  },
  getUser: async (req: Request, res: Response) => {
    res.json({ user: toUserView(await admin.getUser(idOf(req))) });
  },
  updateUser: async (changes: UpdateUser, req: Request, res: Response) => {
    res.json({ user: toUserView(await admin.updateUser(actorOf(req), idOf(req), changes)) });
  },
  deleteUser: async (req: Request, res: Response) => {
    await admin.deleteUser(actorOf(req), idOf(req));
    res.status(204).end();
  },
  signOut: async (req: Request, res: Response) => {
    await admin.signOut(actorOf(req), idOf(req));
    res.status(204).end();
  },
  removeSecondFactor: async (req: Request, res: Response) => {
    await admin.removeSecondFactor(actorOf(req), idOf(req));
    res.status(204).end();
  },
  listEvents: async ({ actor, user, action, ...query }: ListEvents, _req: Request, res: Response) => {
    const actions = action === undefined ? [] : [action];
    const page = await admin.listEvents({ ...query, actorId: actor, ownerId: user, actions });
    res.json(pageView(page, toAuditEventView));
  },
  getStats: async (_req: Request, res: Response) => {
    const { users, chats, messages, usageToday, at } = await admin.getStats();
    const view: StatsView = {
      users: { ...users },
      chats,
      messages,
      usageToday: { ...usageToday },
      at: at.toISOString(),
    };
    res.json(view);
  },
});

export type AdminController = ReturnType<typeof createAdminController>;
